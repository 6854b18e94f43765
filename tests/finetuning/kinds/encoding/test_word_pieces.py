"""Encoding of words, against a plain loop."""

import random

import pytest

from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.rows import Row, TokenRow
from preprocessing.tokens.tokenizer import Tokenizer


def sequences(split: EncodedSplit) -> list[list[int]]:
    return [split.input_ids_t[a:b].tolist() for a, b in zip(split.offsets_s, split.offsets_s[1:], strict=False)]


def encoded(
    task: str, rows: list[Row], tokenizer: Tokenizer, length: int, labels: tuple[str, ...] = ()
) -> EncodedSplit:
    loaded = load_task(task)
    return kind_of(loaded).encode(loaded, rows, tokenizer, labels, length)


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
