"""CoNLL files: a line that lacks a column must not lend a word another one's tag."""

from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.conll import conll_records


def read(path: Path, text: str, columns: dict | None = None, labelled: bool = True) -> list[dict]:
    path.write_text(text)
    return [values for _, values in conll_records(path, columns or {}, labelled)]


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n"])
def test_the_end_of_the_file(tmp_path: Path, end: str) -> None:
    assert read(tmp_path / "f", "he O\n\nAnn B-PER" + end) == [
        {"words": ["he"], "document": None, "tags": ["O"]},
        {"words": ["Ann"], "document": None, "tags": ["B-PER"]},
    ]


def test_document_lines_end_a_sentence(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- -X- O\nhe PRP B-NP O\n-DOCSTART- -X-\nit PRP B-NP O\n"
    rows = read(tmp_path / "f", text)
    assert [(row["words"], row["document"]) for row in rows] == [(["he"], "1"), (["it"], "2")]


def test_sentences_of_one_document_have_its_name(tmp_path: Path) -> None:
    text = "no O\n\n-DOCSTART- O\n\nhe O\n\nit O\n\n-DOCSTART- O\n\n-DOCSTART- O\n\nAnn B-PER\n"
    found = [row["document"] for row in read(tmp_path / "f", text, labelled=False)]
    assert found == [None, "1", "1", "3"], "before the first mark nothing is known"


def test_a_mixture_of_schemes_is_read_as_iob2(tmp_path: Path) -> None:
    text = "a I-LOC\nb I-LOC\n\nc B-LOC\nd I-LOC\ne I-PER\n"
    assert [row["tags"] for row in read(tmp_path / "f", text)] == [["B-LOC", "I-LOC"], ["B-LOC", "I-LOC", "B-PER"]]


@pytest.mark.parametrize("line", ["ran VBD", "ran VBD B-VP O extra", "New York NNP B-NP B-LOC"])
def test_another_number_of_columns_is_refused(tmp_path: Path, line: str) -> None:
    """With a column too few the last one would be taken for the tag."""
    text = f"he PRP B-NP O\n{line}\n"
    with pytest.raises(FinetuningError, match=r"line 2 has \d columns, line 1 has 4, so a word or a tag is missing"):
        read(tmp_path / "f", text)
    assert len(read(tmp_path / "f", text, labelled=False)) == 1, "words alone need their column only"


def test_a_training_split_without_tags_is_refused(tmp_path: Path) -> None:
    from finetuning.kinds.loading import parse_task, read_split
    from finetuning.kinds.scoring import labels_of

    (tmp_path / "t.jsonl").write_text('{"words": [], "tags": []}\n')
    content = {"name": "own", "kind": "token", "metric": "entity_f1", "splits": {"train": "t.jsonl", "dev": "t.jsonl"}}
    task = parse_task(content, "own.toml")
    split = read_split(task, "train", tmp_path)
    assert split is not None
    with pytest.raises(FinetuningError, match=r"line 1: no word of the train split has a tag"):
        labels_of(task, {"train": split, "dev": split})


def test_columns_are_numbers(tmp_path: Path) -> None:
    assert read(tmp_path / "f", "B-PER Ann\n", {"words": 1, "tags": 0}) == [
        {"words": ["Ann"], "document": None, "tags": ["B-PER"]}
    ]
    with pytest.raises(FinetuningError, match=r"column 'word' \(words\) has no name in a CoNLL file"):
        read(tmp_path / "f", "Ann B-PER\n", {"words": "word"})
    with pytest.raises(FinetuningError, match="too few for word and tag"):
        read(tmp_path / "f", "Ann B-PER\n", {"words": 5})
