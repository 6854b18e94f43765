"""The rows that a report shows, on a shard made by hand."""

from pathlib import Path

from preprocessing.shards.manifest import Manifest
from preprocessing.shards.report import summarise
from preprocessing.shards.report_page import render
from preprocessing.shards.report_rows import rows_or_reason, shown_rows


def test_a_pair_that_follows_stands_first_and_then_one_that_does_not(shard_folder: Path) -> None:
    follows, random = shown_rows(shard_folder, Manifest.read(shard_folder))
    assert (follows.is_random_next, random.is_random_next) == (False, True)
    assert (random.shard, random.row) == ("train/16/part-00000-of-00001.arrow", 0)
    assert (random.source_a, random.source_b) == ("wikipedia, dump.xml, 12 “Cats”", "sentences, lines.txt, byte=0")
    assert (random.text_a, random.text_b) == ("the cat sat.", "dogs bark.")
    assert (follows.row, follows.masks, random.masks) == (1, 2, 1)


def test_pieces_say_what_is_masked_how(shard_folder: Path) -> None:
    follows, random = shown_rows(shard_folder, Manifest.read(shard_folder))
    masked = [(piece.shown, piece.original, piece.kind, piece.in_b) for piece in follows.pieces if piece.kind]
    assert masked == [
        ("[CLS]", "[CLS]", "special", False),
        ("dogs", "not", "as-random", False),
        ("[SEP]", "[SEP]", "special", False),
        ("cat", "cat", "as-kept", True),
        ("[SEP]", "[SEP]", "special", True),
    ]
    assert [piece.kind for piece in random.pieces if piece.original == "cat"] == ["as-mask"]


def test_the_page_shows_them_with_words_beside_the_colours(shard_folder: Path) -> None:
    manifest = Manifest.read(shard_folder)
    page = render(summarise(manifest), *rows_or_reason(shard_folder, manifest))
    assert '<span class="piece as-mask">[MASK] → cat</span>' in page
    assert '<span class="piece as-random">dogs → not</span>' in page
    assert '<span class="piece as-kept b">cat (kept)</span>' in page
    assert "9 documents in = 2 kept + 7 dropped." in page


def test_without_shards_the_page_says_why(shard_folder: Path) -> None:
    manifest = Manifest.read(shard_folder)
    (shard_folder / "train/16/part-00000-of-00001.arrow").unlink()
    rows, why = rows_or_reason(shard_folder, manifest)
    assert rows == ()
    assert "part-00000-of-00001.arrow is missing" in why
    assert "part-00000-of-00001.arrow is missing" in render(summarise(manifest), rows, why)
