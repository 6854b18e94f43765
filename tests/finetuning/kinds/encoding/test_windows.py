"""Windows over a paragraph: they cover it, and find the answer."""

import random

from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.windows import best_context, overlapping_stride, window_starts
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
