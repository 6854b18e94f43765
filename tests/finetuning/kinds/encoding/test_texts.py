"""Encoding of texts, against `transformers`' own tokenizer."""

from pathlib import Path

from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
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
