"""Encoding of texts, against `transformers`' own tokenizer."""

from pathlib import Path

import numpy as np

from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.encoding.texts import encode_texts
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.rows import ChoiceRow, Row, TextRow
from preprocessing.tokens.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat", "", 'he said "no", twice', "red " * 30, "xyzzy", "the dog"]


def sequences(split: EncodedSplit) -> list[list[int]]:
    return [split.input_ids_t[a:b].tolist() for a, b in zip(split.offsets_s, split.offsets_s[1:], strict=False)]


def encoded(
    task: str, rows: list[Row], tokenizer: Tokenizer, length: int, labels: tuple[str, ...] = ()
) -> EncodedSplit:
    loaded = load_task(task)
    return kind_of(loaded).encode(loaded, rows, tokenizer, labels, length)


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


def told(split: EncodedSplit) -> dict[str, object]:
    """All that a split of texts says of itself, but for its tokens."""
    return {
        "starts": split.segment_b_start_s.tolist(),
        "rows": split.row_i.tolist(),
        "labels": split.labels.tolist(),
        "lost": split.cut.lost_r.tolist(),
        "counts": split.cut.counts,
        "lengths": split.lengths_i.tolist(),
    }


def test_one_text_by_hand(tokenizer: Tokenizer) -> None:
    labels = np.array([4, 5, 6])
    split = encode_texts(["the cat sat on", "", "the \u732b"], None, tokenizer, 5, labels)
    assert [tokenizer.decode(ids) for ids in sequences(split)] == [
        "[CLS] the cat sat [SEP]",
        "[CLS] [SEP]",
        "[CLS] the [UNK] [SEP]",
    ]
    counts = Truncation(3, 1, 1 / 3, 6, 1, 6, 5, empty_rows=1, unknown_tokens=1)
    assert told(split) == {
        "starts": [5, 2, 4],
        "rows": [0, 1, 2],
        "labels": [4, 5, 6],
        "lost": [1, 0, 0],
        "counts": counts,
        "lengths": [5, 2, 4],
    }
    assert (split.group, split.items, split.words, split.context) == (1, 3, None, None)
    assert (split.input_ids_t.dtype, split.offsets_s.dtype, split.row_i.dtype) == (np.int32, np.int64, np.int64)


def test_groups_of_pairs_by_hand(tokenizer: Tokenizer) -> None:
    first, second = ["the cat sat", "he", "", "it is"], ["he ran on", "\u732b", "is", ""]
    split = encode_texts(first, second, tokenizer, 8, np.array([1, 0]), group=2)
    assert [tokenizer.decode(ids) for ids in sequences(split)] == [
        "[CLS] the cat sat [SEP] he ran [SEP]",
        "[CLS] he [SEP] [UNK] [SEP]",
        "[CLS] [SEP] is [SEP]",
        "[CLS] it is [SEP] [SEP]",
    ]
    assert told(split) == {
        "starts": [5, 3, 2, 4],
        "rows": [0, 1],
        "labels": [1, 0],
        "lost": [1, 0],
        "counts": Truncation(2, 1, 0.5, 11, 1, 9, 8, empty_rows=1, unknown_tokens=1),
        "lengths": [13, 9],
    }
    assert (split.group, split.items) == (2, 2)


def test_no_texts(tokenizer: Tokenizer) -> None:
    for others in (None, []):
        split = encode_texts([], others, tokenizer, 8, np.zeros(0, np.int64))
        special = 2 if others is None else 3
        assert told(split)["counts"] == Truncation(0, 0, 0.0, 0, 0, special, 8)
        assert split.offsets_s.tolist() == [0]
