"""Encoding of words, against a plain loop."""

import random

import numpy as np
import pytest

from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.kinds.encoding.word_pieces import encode_words
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


def test_sentences_by_hand(tokenizer: Tokenizer) -> None:
    """`zzz` has three pieces, a zero-width space none; five fit."""
    rows = [
        TokenRow("0", "", ("the", "zzz", "\u200b", "cat", "he"), ("O", "B-X", "O", "B-new", "O")),
        TokenRow("1", "", (), ()),
        TokenRow("2", "", ("zzzzzzz", "the"), ("B-X", "O")),
        TokenRow("3", "", ("\u732b",), None),
        TokenRow("4", "", ("\u200b",), ("O",)),
    ]
    split = encode_words(rows, tokenizer, ("O", "B-X"), 7)
    assert [" ".join(map(tokenizer.backend.id_to_token, ids)) for ids in sequences(split)] == [
        "[CLS] the z ##z ##z cat [SEP]",
        "[CLS] he [SEP]",
        "[CLS] z ##z ##z ##z ##z [SEP]",
        "[CLS] the [SEP]",
        "[CLS] [UNK] [SEP]",
        "[CLS] [SEP]",
    ]
    assert split.row_i.tolist() == [0, 0, 2, 2, 3, 4]
    assert split.words is not None
    assert split.words.offsets_s.tolist() == [0, 3, 4, 5, 6, 7, 7]
    assert split.words.position_w.tolist() == [1, 2, 5, 1, 1, 1, 1]
    assert split.words.word_w.tolist() == [0, 1, 3, 4, 0, 1, 0]
    assert split.labels.tolist() == [0, 1, UNLABELLED, 0, 1, 0, UNLABELLED]
    assert split.segment_b_start_s.tolist() == [7, 3, 7, 3, 3, 2]
    assert split.cut.lost_r.tolist() == [0, 0, 2, 0, 0]
    assert split.cut.counts == Truncation(
        *(5, 1, 0.2, 15, 2, 10, 7),
        rows_in_parts=2,
        empty_rows=2,
        words_without_tokens=2,
        unknown_tokens=1,
    )
    arrays = (split.input_ids_t, split.words.position_w, split.words.word_w, split.offsets_s, split.words.offsets_s)
    assert [array.dtype for array in arrays] == [np.int32] * 3 + [np.int64] * 2
    assert (split.row_i.dtype, split.labels.dtype, split.cut.lost_r.dtype) == (np.int64, np.int64, np.int64)


def test_a_sentence_that_just_fits_is_one_sequence(tokenizer: Tokenizer) -> None:
    row = TokenRow("0", "", ("the", "cat", "sat", "on"), ("O",) * 4)
    assert [len(ids) for ids in sequences(encode_words([row], tokenizer, ("O",), 6))] == [6]
    assert [len(ids) for ids in sequences(encode_words([row], tokenizer, ("O",), 5))] == [5, 3]


@pytest.mark.parametrize("rows", [[], [TokenRow("0", "", (), ())]], ids=["no rows", "no words"])
def test_nothing_to_encode(rows: list[TokenRow], tokenizer: Tokenizer) -> None:
    split = encode_words(rows, tokenizer, ("O",), 8)
    assert (split.items, split.labels.tolist(), split.offsets_s.tolist()) == (0, [], [0])
    assert split.cut.counts == Truncation(len(rows), 0, 0.0, 0, 0, 2, 8, empty_rows=len(rows))
    assert split.words is not None
    assert split.words.offsets_s.tolist() == [0]
    assert (split.labels.dtype, split.row_i.dtype) == (np.int64, np.int64)
