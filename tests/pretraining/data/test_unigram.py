"""What masked-token prediction comes to by frequency alone, against a count by hand."""

import math
import shutil
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from pretraining.data import unigram as module
from pretraining.data.unigram import unigram


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("data") / "shards", lengths=(32,), shards=3, rows=40, words=30)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "others"
    return write_shards(folder, lengths=(32,), shards=1, rows=60, words=30, seed=9)


def labels(folder: Path, split: str, most: int = 10**9) -> Counter[int]:
    shard_set, found = ShardSet.open(folder), Counter[int]()
    for record in shard_set.records(split, 32):
        if found.total() < most:
            table = shard_set.read(record).table
            found.update(label for row in table.column("masked_labels").to_pylist() for label in row)
    return found


def by_hand(train: dict[int, float], held_out: Counter[int], pieces: int) -> tuple[float, float]:
    total = sum(train.values()) + pieces
    loss = sum(-count * math.log((train.get(piece, 0) + 1) / total) for piece, count in held_out.items())
    commonest = max(range(pieces), key=lambda piece: train.get(piece, 0))
    return loss / held_out.total(), held_out[commonest] / held_out.total()


def pieces_of(folder: Path) -> int:
    return ShardSet.open(folder).manifest.vocabulary_size


def test_held_out_labels_under_the_frequencies_of_training(shards: Path) -> None:
    found = unigram([shards], 32)
    assert found is not None
    expected = by_hand(labels(shards, "train"), labels(shards, "heldout"), pieces_of(shards))
    assert (found.loss, found.accuracy) == pytest.approx(expected)


def test_sets_count_as_often_as_they_are_drawn(shards: Path, others: Path) -> None:
    one, two = labels(shards, "train"), labels(others, "train")
    parts = [(1.0 * one.total(), one), (3.0 * two.total(), two)]
    drawn = sum(size for size, _ in parts)
    seen = one.total() + two.total()
    mixed = {
        piece: seen * sum(size / drawn * counts[piece] / counts.total() for size, counts in parts)
        for piece in range(pieces_of(shards))
    }
    held_out = labels(shards, "heldout") + labels(others, "heldout")
    found = unigram([shards, others], 32, (1.0, 3.0))
    assert found is not None
    assert (found.loss, found.accuracy) == pytest.approx(by_hand(mixed, held_out, pieces_of(shards)))


def test_no_more_is_read_than_is_asked_for(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most = labels(shards, "train", 1).total() + 1
    monkeypatch.setattr(module, "MOST_LABELS", most)
    found = unigram([shards], 32)
    assert found is not None
    expected = by_hand(labels(shards, "train", most), labels(shards, "heldout", most), pieces_of(shards))
    assert (found.loss, found.accuracy) == pytest.approx(expected)
    assert labels(shards, "train", most).total() < labels(shards, "train").total()


def test_there_is_none_without_shards_or_held_out_text(shards: Path, tmp_path: Path) -> None:
    assert unigram([], 32) is None
    assert unigram([tmp_path], 32) is None
    assert unigram([shards], 64) is None
    assert unigram([write_shards(tmp_path / "nothing-held-out", heldout_rows=0, rows=20, shards=1)], 32) is None
    copy = tmp_path / "copy"
    shutil.copytree(shards, copy)
    for file in (copy / "train" / "32").iterdir():
        file.unlink()
    assert unigram([copy], 32) is None
