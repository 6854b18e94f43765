"""Windows over a paragraph: they cover it, and find the answer."""

import random

import numpy as np
import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.kinds.encoding.windows import best_context, encode_windows, overlapping_stride, window_starts
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.rows import Row, SpanRow
from preprocessing.tokens.tokenizer import Tokenizer


def sequences(split: EncodedSplit) -> list[list[int]]:
    return [split.input_ids_t[a:b].tolist() for a, b in zip(split.offsets_s, split.offsets_s[1:], strict=False)]


def test_windows_cover_and_find_the_answer(tokenizer: Tokenizer) -> None:
    draw = random.Random(5)
    task = load_task("squad1").model_copy(update={"max_query_length": 6, "document_stride": 5})
    words = ["the", "cat", "Paris,", "dog", "1999", "caf\u00e9", "x-ray"]
    rows: list[Row] = []
    for number in range(60):
        chosen = [draw.choice(words) for _ in range(draw.randrange(1, 25))]
        first = draw.randrange(len(chosen))
        last = draw.randrange(first, len(chosen))
        start = len(" ".join([*chosen[:first], ""]))
        rows.append(
            SpanRow(
                str(number),
                "",
                "where is the dog now",
                " ".join(chosen),
                ((" ".join(chosen[first : last + 1]), start),),
            )
        )
    split = kind_of(task).encode(task, rows, tokenizer, (), 24)
    assert split.context is not None
    found = 0
    covered: dict[int, set[int]] = {}
    for sequence, ids in enumerate(sequences(split)):
        row = rows[split.row_i[sequence]]
        assert isinstance(row, SpanRow)
        chars = split.context.chars_t2[split.offsets_s[sequence] : split.offsets_s[sequence + 1]]
        best = split.context.is_best_t[split.offsets_s[sequence] : split.offsets_s[sequence + 1]]
        for index in range(split.context.first_s[sequence], len(ids) - 1):
            text = row.context[chars[index, 0] : chars[index, 1]].lower()
            piece = tokenizer.backend.id_to_token(ids[index]).removeprefix("##")
            assert piece in (text, "[UNK]") or text == "\u00e9"
            if best[index]:
                assert int(chars[index, 0]) not in covered.setdefault(int(split.row_i[sequence]), set())
                covered[int(split.row_i[sequence])].add(int(chars[index, 0]))
        begin, end = split.labels[sequence]
        if begin:
            found += 1
            assert row.context[chars[begin, 0] : chars[end, 1]] == row.answers[0][0]
    assert found >= 40
    for number, row in enumerate(rows):
        assert isinstance(row, SpanRow)
        total = len(tokenizer.backend.encode(row.context, add_special_tokens=False).ids)
        assert len(covered[number]) == total, "every piece is best in exactly one window"


def test_best_context_equals_brute_force() -> None:
    for length, room, stride in [(10, 4, 2), (23, 7, 3), (5, 9, 4), (17, 5, 5), (0, 5, 2)]:
        windows = window_starts(length, room, stride)
        assert windows[0][0] == 0
        assert sum(windows[-1]) == length
        flags = best_context(windows)
        for piece in range(length):
            scores = [
                min(piece - start, start + size - 1 - piece) + 0.01 * size if start <= piece < start + size else -1
                for start, size in windows
            ]
            chosen = [
                bool(flag[piece - start])
                for flag, (start, size), score in zip(flags, windows, scores, strict=True)
                if score >= 0
            ]
            inside = [score for score in scores if score >= 0]
            assert chosen.index(True) == inside.index(max(inside))
            assert sum(chosen) == 1


def test_an_answer_that_may_be_given_lies_whole_in_a_window() -> None:
    """At the usual lengths windows are `document_stride` apart; where that leaves none to overlap, they come closer."""
    assert overlapping_stride(317, 128, 30) == 128
    assert overlapping_stride(158, 128, 30) == 128
    assert overlapping_stride(157, 128, 30) == 127
    assert overlapping_stride(61, 128, 30) == 31
    for room in range(1, 80):
        for stride in (1, 7, 128):
            closer = overlapping_stride(room, stride, 30)
            assert 1 <= closer <= stride
            windows = window_starts(200, room, closer)
            for first in range(200):
                last = min(first + min(30, max(room // 2, 1)), 200) - 1
                assert any(start <= first and last < start + size for start, size in windows), (room, stride, first)


def test_windows_that_come_closer_are_counted(tokenizer: Tokenizer) -> None:
    task = load_task("squad1").model_copy(update={"max_query_length": 4, "max_answer_length": 3})
    context = "the cat sat on the mat near the house " * 20
    places = [start for start in range(len(context)) if context.startswith("mat near", start)]
    rows = [SpanRow(str(place), "", "who sat", context, (("mat near", place),)) for place in places]
    rows.append(SpanRow("short", "", "who sat", "the cat", (("the cat", 0),)))
    counts = kind_of(task).encode(task, rows, tokenizer, (), 16).cut.counts
    assert (counts.rows_in_parts, counts.closer_windows, counts.unreached_answers) == (20, 20, 0)
    (warning,) = counts.warnings("dev")
    assert warning.startswith("dev: 20 of 21 rows are read in windows closer together than document_stride")
    assert kind_of(task).encode(task, rows, tokenizer, (), 384).cut.counts.closer_windows == 0


def test_windows_by_hand(tokenizer: Tokenizer) -> None:
    task = load_task("squad2").model_copy(update={"max_query_length": 3, "document_stride": 2, "max_answer_length": 2})
    long, short = "the cat sat on a \u732b", "he ran"
    rows = [
        SpanRow("0", "", "where is it he", long, (("sat on", 8), ("the", 0))),
        SpanRow("1", "", "who", short, (("he ran", 0),)),
        SpanRow("2", "", "it", long, ()),
        SpanRow("3", "", "", long, (("the cat sat", 0),)),
    ]
    split = encode_windows(task, rows, tokenizer, 10)
    assert [tokenizer.decode(ids) for ids in sequences(split)] == [
        "[CLS] where is it [SEP] the cat sat on [SEP]",
        "[CLS] where is it [SEP] sat on a [UNK] [SEP]",
        "[CLS] who [SEP] he ran [SEP]",
        "[CLS] it [SEP] the cat sat on a [UNK] [SEP]",
        "[CLS] [SEP] the cat sat on a [UNK] [SEP]",
    ]
    assert split.row_i.tolist() == [0, 0, 1, 2, 3]
    assert split.labels.tolist() == [[7, 8], [5, 6], [3, 4], [0, 0], [2, 4]]
    assert split.segment_b_start_s.tolist() == [5, 5, 3, 3, 2]
    assert split.context is not None
    assert split.context.first_s.tolist() == [5, 5, 3, 3, 2]
    place = [[0, 3], [4, 7], [8, 11], [12, 14], [15, 16], [17, 18]]
    outside = [0, 0]
    assert split.context.chars_t2.tolist() == [
        *([outside] * 5 + place[:4] + [outside]),
        *([outside] * 5 + place[2:] + [outside]),
        *([outside] * 3 + [[0, 2], [3, 6]] + [outside]),
        *([outside] * 3 + place + [outside]),
        *([outside] * 2 + place + [outside]),
    ]
    # `sat` has more to its left in the first window, `on` more to its right in the second.
    best = [[1, 1, 1, 0], [0, 1, 1, 1], [1, 1], [1] * 6, [1] * 6]
    expected = [[0] * first + flags + [0] for first, flags in zip((5, 5, 3, 3, 2), best, strict=True)]
    assert split.context.is_best_t.astype(int).tolist() == [flag for flags in expected for flag in flags]
    assert split.cut.lost_r.tolist() == [1, 0, 0, 0]
    assert split.cut.counts == Truncation(
        *(4, 1, 0.25, 26, 1, 4, 3, "max_query_length"),
        rows_in_parts=1,
        empty_rows=1,
        unreached_answers=0,
        too_long_answers=1,
        closer_windows=0,
        unknown_tokens=3,
    )
    assert [array.dtype for array in (split.input_ids_t, split.context.first_s, split.context.chars_t2)] == [
        np.int32
    ] * 3
    assert [array.dtype for array in (split.offsets_s, split.row_i, split.labels)] == [np.int64] * 3
    assert split.context.is_best_t.dtype == np.bool_


def test_answers_that_no_window_holds_and_windows_that_come_closer(tokenizer: Tokenizer) -> None:
    task = load_task("squad1").model_copy(update={"max_query_length": 1, "document_stride": 4, "max_answer_length": 2})
    rows = [
        SpanRow("0", "", "who", "the cat sat on a mat", (("cat sat on a mat", 4),)),
        SpanRow("1", "", "who", "the cat sat on a mat", (("cat sat", 4),)),
        SpanRow("2", "", "who", "the cat", (("the cat", 0),)),
        SpanRow("3", "", "who", "", (("the", 0),)),
    ]
    split = encode_windows(task, rows, tokenizer, 8)
    assert [tokenizer.decode(ids) for ids in sequences(split)] == [
        *("[CLS] who [SEP] the cat sat on [SEP]", "[CLS] who [SEP] sat on a mat [SEP]") * 2,
        "[CLS] who [SEP] the cat [SEP]",
        "[CLS] who [SEP] [SEP]",
    ]
    assert split.labels.tolist() == [[0, 0], [0, 0], [4, 5], [0, 0], [3, 4], [0, 0]]
    counts = split.cut.counts
    assert (counts.unreached_answers, counts.too_long_answers, counts.closer_windows) == (2, 1, 2)
    assert (counts.rows_in_parts, counts.empty_rows, counts.tokens, counts.longest) == (2, 1, 6 + 6 + 2 + 4, 1)


def test_an_answer_between_pieces_is_none(tokenizer: Tokenizer) -> None:
    task = load_task("squad1").model_copy(update={"max_query_length": 1})
    rows = [
        SpanRow("0", "", "who", "the  cat", ((" ", 3),)),
        SpanRow("1", "", "who", "the cat sat", (("at", 5),)),  # inside a word: the whole piece
        SpanRow("2", "", "who", "the cat sat", (("e cat s", 2),)),
    ]
    assert encode_windows(task, rows, tokenizer, 16).labels.tolist() == [[0, 0], [4, 4], [3, 5]]


@pytest.mark.parametrize(("length", "fits"), [(9, False), (10, True)])
def test_a_paragraph_needs_room_beside_the_longest_question(length: int, fits: bool, tokenizer: Tokenizer) -> None:
    task = load_task("squad1").model_copy(update={"max_query_length": 6})
    rows = [SpanRow("0", "", "where is the cat now he", "he ran", (("he", 0),))]
    if fits:
        split = encode_windows(task, rows, tokenizer, length)
        assert [len(ids) for ids in sequences(split)] == [10, 10]
        return
    with pytest.raises(FinetuningError, match="max_length 9 leaves no room for the paragraph beside a question of 6"):
        encode_windows(task, rows, tokenizer, length)


def test_where_windows_start() -> None:
    assert window_starts(10, 4, 3) == [(0, 4), (3, 4), (6, 4)]
    assert window_starts(11, 4, 3) == [(0, 4), (3, 4), (6, 4), (9, 2)]
    assert window_starts(4, 4, 1) == [(0, 4)]
    assert window_starts(9, 3, 5) == [(0, 3), (3, 3), (6, 3)]
    assert window_starts(0, 3, 1) == [(0, 0)]


def test_of_windows_with_as_much_context_the_larger_one_is_best() -> None:
    first, second = best_context([(0, 5), (2, 4)])
    assert first.tolist() == [True, True, True, True, False]
    assert second.tolist() == [False, False, True, True]


def test_the_longest_question_may_be_empty(tokenizer: Tokenizer) -> None:
    counts = encode_windows(load_task("squad1"), [SpanRow("0", "", "", "the cat", ())], tokenizer, 384).cut.counts
    assert (counts.longest, counts.tokens, counts.unknown_tokens) == (0, 2, 0)
