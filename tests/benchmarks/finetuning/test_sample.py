"""Samples: the right number of rows, whole and in order, the same every time, in files that fine-tuning reads."""

import json
from pathlib import Path

import pytest

from benchmarks.finetuning.comparisons import COMPARISONS
from benchmarks.finetuning.sample import write_sample
from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task, read_split


@pytest.mark.parametrize("name", ["cola", "rte", "stsb", "questions", "conll2000", "squad1"])
def test_a_sample_reads_as_the_whole(name: str, data: Path, tmp_path: Path) -> None:
    comparison = COMPARISONS[name]
    task = load_task(comparison.task)
    folder = data / comparison.folder
    write_sample(comparison.task, folder, tmp_path, {"train": 2, "dev": 10_000})
    for split, most in (("train", 2), ("dev", 10_000)):
        whole, sampled = read_split(task, split, folder), read_split(task, split, tmp_path)
        assert whole is not None
        assert sampled is not None
        shown = [row.shown for row in whole.rows]
        places = iter(shown)
        assert all(row.shown in places for row in sampled.rows), "not a part of the whole in its order"
        assert len(sampled.rows) == min(most, len(shown))


def test_a_sorted_file_gives_both_classes_and_the_same_rows_again(tmp_path: Path) -> None:
    folder = tmp_path / "movie-reviews"
    folder.mkdir()
    rows = [f"text {number}\t{'positive' if number < 500 else 'negative'}" for number in range(1000)]
    for name in ("train", "dev"):
        (folder / f"{name}.tsv").write_text("\n".join(["sentence\tlabel", *rows, ""]))
    task = COMPARISONS["movie-reviews"].task
    digests = {write_sample(task, folder, tmp_path / part, {"train": 60, "dev": 60}) for part in ("a", "b")}
    lines = (tmp_path / "a" / "train.tsv").read_text().splitlines()
    assert lines[0] == "sentence\tlabel"
    assert 20 <= sum(line.endswith("positive") for line in lines) <= 40
    assert len(set(lines)) == 61
    assert len(digests) == 1
    assert write_sample(task, folder, tmp_path / "c", {"train": 61, "dev": 60}) not in digests


def test_sentences_end_at_document_lines_too(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.txt").write_text(
            "-DOCSTART- -DOCSTART- O\nDe Art O\n\nIk Pron B-NP\n-DOCSTART- - O\nzo Adv O\n"
        )
    write_sample("conll2000", tmp_path, tmp_path / "out", {"train": 9, "dev": 9})
    assert (tmp_path / "out" / "train.txt").read_text() == "De Art O\n\nIk Pron B-NP\n\nzo Adv O\n\n"


def test_questions_keep_their_paragraph(data: Path, tmp_path: Path) -> None:
    write_sample("squad1", data / "squad", tmp_path, {"train": 1, "dev": 3})
    (paragraph,) = json.loads((tmp_path / "train-v1.1.json").read_text())["data"][0]["paragraphs"]
    assert len(paragraph["qas"]) == 1
    assert "cat sat" in paragraph["context"]


def test_what_cannot_be_sampled_is_said(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FinetuningError, match=r"no train\.tsv there, the train split of cola"):
        write_sample("cola", tmp_path, tmp_path / "out", {"train": 1})
    with pytest.raises(FinetuningError, match="no sample of jsonl files"):
        write_sample("goemotions", data / "glue", tmp_path / "out", {"train": 1})
