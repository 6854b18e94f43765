"""Encoding, against plain loops and against `transformers`' own tokenizer."""

import random
from pathlib import Path

import numpy as np
import pytest

from finetuning.kinds.encoding import UNLABELLED, EncodedSplit, encode, truncate_pairs
from finetuning.kinds.windows import best_context, window_starts
from finetuning.tasks.rows import ChoiceRow, Row, SpanRow, SplitRows, TextRow, TokenRow
from finetuning.tasks.task import load_task
from preprocessing.tokens.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat", "", 'he said "no", twice', "red " * 30, "xyzzy", "the dog"]


def sequences(split: EncodedSplit) -> list[list[int]]:
    return [split.input_ids_t[a:b].tolist() for a, b in zip(split.offsets_s, split.offsets_s[1:], strict=False)]


def encoded(
    task: str, rows: list[Row], tokenizer: Tokenizer, length: int, labels: tuple[str, ...] = ()
) -> EncodedSplit:
    return encode(load_task(task), SplitRows("train", tuple(rows), True), tokenizer, labels, length)


def test_truncation_equals_popping_one_by_one() -> None:
    a, b = np.meshgrid(np.arange(14), np.arange(14))
    for budget in range(1, 16):
        keep_a, keep_b = truncate_pairs(a.ravel(), b.ravel(), budget)
        for first, second, kept_a, kept_b in zip(a.ravel(), b.ravel(), keep_a, keep_b, strict=True):
            left, right = list(range(first)), list(range(second))
            while len(left) + len(right) > budget:
                (left if len(left) > len(right) else right).pop()
            assert (kept_a, kept_b) == (len(left), len(right)), (first, second, budget)


def test_pairs_equal_transformers(tokenizer: Tokenizer, model_folder: Path) -> None:
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(model_folder)
    rows: list[Row] = [TextRow(str(n), "", a, b, "0") for n, (a, b) in enumerate((a, b) for a in TEXTS for b in TEXTS)]
    split = encoded("mrpc", rows, tokenizer, 128, ("0", "1"))
    expected = reference([row.text_a for row in rows], [row.text_b for row in rows])  # type: ignore[union-attr]
    assert sequences(split) == expected["input_ids"]
    segments = [
        [int(i >= start) for i in range(len(ids))]
        for ids, start in zip(sequences(split), split.segment_b_start_s, strict=True)
    ]
    assert segments == expected["token_type_ids"]
    assert set(split.labels.tolist()) == {0}


def test_single_texts_are_cut(tokenizer: Tokenizer) -> None:
    rows: list[Row] = [TextRow("0", "", "the cat sat on the mat", None, "1"), TextRow("1", "", "he", None, None)]
    split = encoded("cola", rows, tokenizer, 8, ("0", "1"))
    assert [len(ids) for ids in sequences(split)] == [8, 3]
    assert sequences(split)[0][0] == tokenizer.cls_id
    assert sequences(split)[0][-1] == tokenizer.sep_id
    assert split.labels.tolist() == [1, UNLABELLED]
    assert split.segment_b_start_s.tolist() == [8, 3]


def test_choices_share_their_context(tokenizer: Tokenizer) -> None:
    rows: list[Row] = [ChoiceRow("0", "", "he ran", "she", ("sat", "ran", "is", "was"), 2)]
    split = encoded("swag", rows, tokenizer, 32)
    assert split.items == 1
    assert split.group == 4
    texts = [tokenizer.decode(ids) for ids in sequences(split)]
    assert texts == [f"[CLS] he ran [SEP] she {ending} [SEP]" for ending in ("sat", "ran", "is", "was")]


@pytest.mark.parametrize("length", [8, 12, 64])
def test_words_equal_a_plain_loop(tokenizer: Tokenizer, length: int) -> None:
    draw = random.Random(3)
    vocabulary = ["the", "cat", "zzz", "abc,", "q", "mathouse", "\u200b", "a-b"]
    tags = ["O", "B-X", "I-X", "B-new"]
    rows: list[Row] = []
    for number in range(40):
        words = tuple(draw.choice(vocabulary) for _ in range(draw.randrange(0, 14)))
        rows.append(TokenRow(str(number), "", words, tuple(draw.choice(tags) for _ in words)))
    labels = ("O", "B-X", "I-X")
    split = encoded("conll2000", rows, tokenizer, length, labels)
    assert split.words is not None
    seen = set()
    for sequence, ids in enumerate(sequences(split)):
        assert 2 < len(ids) <= length or not any(
            len(row.words) for row in rows[split.row_i[sequence] : split.row_i[sequence] + 1]
        )  # type: ignore[union-attr]
        row = rows[split.row_i[sequence]]
        assert isinstance(row, TokenRow)
        for w in range(split.words.offsets_s[sequence], split.words.offsets_s[sequence + 1]):
            word, position = int(split.words.word_w[w]), int(split.words.position_w[w])
            pieces = tokenizer.backend.encode(row.words[word], add_special_tokens=False).ids[: length - 2]
            assert ids[position : position + len(pieces)] == pieces
            assert row.tags is not None
            expected = labels.index(row.tags[word]) if row.tags[word] in labels else UNLABELLED
            assert split.labels[w] == expected
            seen.add((int(split.row_i[sequence]), word))
    has_pieces = {
        (number, word)
        for number, row in enumerate(rows)
        if isinstance(row, TokenRow)
        for word, text in enumerate(row.words)
        if tokenizer.backend.encode(text, add_special_tokens=False).ids
    }
    assert seen == has_pieces, "every word with pieces has exactly one place"
    assert len(split.labels) == len(has_pieces)


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
    split = encode(task, SplitRows("train", tuple(rows), True), tokenizer, (), 24)
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
