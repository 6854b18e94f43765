from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.inspect import choose_rows, main, source_line
from preprocessing.shards.example_text import read_example
from preprocessing.shards.example_view import AS_MASK, AS_ORIGINAL, AS_RANDOM, SEGMENT_B, render
from preprocessing.shards.reader import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer


def examples(folder: Path):
    shards = ShardSet.open(folder)
    record = shards.records("train", 16)[0]
    tokenizer = Tokenizer.load(shards.tokenizer_path)
    return [read_example(shards.read(record), row, shards.documents_of(record), tokenizer) for row in (0, 1)]


def styles(text) -> dict[str, str]:
    return {text.plain[span.start : span.end]: str(span.style) for span in text.spans}


def test_each_kind_of_mask_has_its_colour(shard_folder: Path):
    first, second = (styles(render(example, "[MASK]")) for example in examples(shard_folder))
    assert first["[MASK]→cat"] == AS_MASK
    assert second["dogs→not"] == AS_RANDOM
    assert second["cat"] == AS_ORIGINAL
    assert second["##s"] == SEGMENT_B


def test_rows_come_with_label_and_source(shard_folder: Path, capsys):
    assert main([str(shard_folder), "--rows", "9"]) == 0
    output = capsys.readouterr().out
    assert "row 0: random next, 10 tokens, 1 masks" in output
    assert "row 1: is next, 10 tokens, 2 masks" in output
    assert "A: wikipedia dump.xml 12 “Cats”" in output
    assert "B: sentences lines.txt byte=0" in output


def test_drawn_rows_are_distinct_cover_all_shards_and_follow_the_seed():
    rows = choose_rows([3, 0, 5], 8, seed=1)
    assert rows == [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4)]
    assert choose_rows([100, 100], 5, seed=2) == choose_rows([100, 100], 5, seed=2)
    assert choose_rows([100, 100], 5, seed=2) != choose_rows([100, 100], 5, seed=3)


@pytest.mark.parametrize(
    ("options", "says"),
    [(["--split", "heldout"], "no examples in heldout"), (["--sequence-length", "512"], "only of 16")],
)
def test_what_is_not_there_is_said(shard_folder: Path, capsys, options: list[str], says: str):
    assert main([str(shard_folder), *options]) == 2
    assert says in capsys.readouterr().err


def test_titles_cannot_steer_a_terminal(shard_folder: Path):
    (example, _) = examples(shard_folder)
    line = source_line({**example.document_a, "title": "a\x1b[2J\x07\u202eb", "file": "x\x08y"})
    assert line == r"wikipedia x\x08y 12 “a\x1b[2J\x07\u202eb”"
    assert str(PreprocessingError("x\x1b]0;y.txt is bad")) == r"x\x1b]0;y.txt is bad"
