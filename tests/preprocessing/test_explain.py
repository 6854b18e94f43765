from pathlib import Path

import pytest

from preprocessing.documents.document import Document
from preprocessing.explain import main, sentences_of
from preprocessing.shards.reader import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer

SHARD = "train/16/part-00000-of-00001.arrow"


def test_a_row_is_explained_with_its_masks_undone(shard_folder: Path, capsys):
    assert main([str(shard_folder / SHARD), "1"]) == 0
    output = capsys.readouterr().out
    assert "label: is next (0)" in output
    assert "why not." in output  # the model saw "why dogs."
    assert "the cats." in output
    assert "file: lines.txt" in output
    assert "locator: byte=0" in output
    masks = [line.split("│")[1:4] for line in output.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in masks] == [["2", "dogs", "not"], ["6", "cat", "cat"]]


def test_lineage_names_both_documents(shard_folder: Path, capsys):
    assert main([str(shard_folder / SHARD), "0"]) == 0
    output = capsys.readouterr().out
    assert output.index("title: Cats") < output.index("segment B") < output.index("file: lines.txt")
    assert "random next (1)" in output


def test_with_the_input_sentences_stand_as_they_were_written(shard_folder: Path, tmp_path: Path, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("Dogs bark.\nWhy NOT .\nThe CATS.\nDogs.\n")
    assert main([str(shard_folder / SHARD), "1", "--input", str(lines)]) == 2  # too short: cleaning drops it
    assert "does not hold sentences lines.txt byte=0" in capsys.readouterr().err
    padding = "\n".join(f"Dogs sat, why not the cats number {number}." for number in range(5))
    lines.write_text(f"Dogs bark.\nWhy NOT .\nThe CATS.\nDogs.\n{padding}\n")
    assert main([str(shard_folder / SHARD), "1", "--input", str(lines)]) == 0
    output = capsys.readouterr().out
    assert "1. Why NOT ." in output
    assert "1. The CATS." in output
    assert "Dogs." not in output


def test_another_text_is_not_taken_for_the_source(shard_folder: Path, tmp_path: Path, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(f"Dogs sat, why the cats bark, not dog {number}." for number in range(5)))
    assert main([str(shard_folder / SHARD), "1", "--input", str(lines)]) == 2
    assert "is not in lines.txt byte=0 as it is now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        (["dogs bark .", "why not .", "the cat sat ."], ["why not .", "the cat sat ."]),
        (["why not . the cat", "dogs ."], ["why not . the cat"]),
        (["why not .", "the dogs"], []),
        (["why"], []),
    ],
)
def test_sentences_are_found_by_their_tokens(shard_folder: Path, sentences: list[str], expected: list[str]):
    tokenizer = Tokenizer.load(ShardSet.open(shard_folder).tokenizer_path)
    ids = tokenizer.encode(["why not . the cat"])[0].tolist()
    assert sentences_of(ids, Document("s", "f", "0", "", tuple(sentences)), tokenizer) == expected


@pytest.mark.parametrize(
    ("path", "row", "says"),
    [
        (SHARD, "2", "rows 0 to 1"),
        (SHARD, "-1", "rows 0 to 1"),
        ("train/16/none.arrow", "0", "not among the shards"),
        ("a/b/c/d.arrow", "0", "no such file"),
        ("manifest.json", "0", "manifest"),
    ],
)
def test_what_is_not_there_is_said(shard_folder: Path, capsys, path: str, row: str, says: str):
    assert main([str(shard_folder / path), "--", row] if row.startswith("-") else [str(shard_folder / path), row]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.splitlines()) == 1
