"""A sample of the shards is hashed before a run."""

import shutil
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from pretraining.data.shard_check import check_sample, check_sizes
from pretraining.errors import DamagedShardError

SHARDS = 7


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("check") / "shards", lengths=(16, 32), shards=SHARDS, rows=20)


@pytest.fixture
def damaged(shards: Path, tmp_path: Path) -> Path:
    """A copy whose shard 3 of length 32 has one other bit, at equal size."""
    folder = Path(shutil.copytree(shards, tmp_path / "copy"))
    path = folder / f"train/32/part-00003-of-{SHARDS:05d}.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    return folder


def check(folder: Path, rank: int = 0, ranks: int = 1, length: int = 32, **settings: int) -> int:
    return check_sample([ShardSet.open(folder)], "train", length, rank, ranks, **settings)


@pytest.mark.parametrize("ranks", [1, 2, 3, 10])
def test_ranks_together_look_at_every_file_once(shards: Path, ranks: int) -> None:
    assert sum(check(shards, rank, ranks) for rank in range(ranks)) == SHARDS


@pytest.mark.parametrize("ranks", [1, 2, 3, 10])
def test_exactly_one_rank_finds_the_altered_file(damaged: Path, ranks: int) -> None:
    found = []
    for rank in range(ranks):
        try:
            check(damaged, rank, ranks)
        except DamagedShardError as error:
            found.append(str(error))
    (message,) = found
    for part in ("train/32/part-00003-of-00007.arrow is not the file that was built", "remove it", "verify"):
        assert part in message


def test_other_lengths_are_not_looked_at(damaged: Path) -> None:
    assert check(damaged, length=16) == SHARDS


def test_the_budget_ends_it_after_one_file_at_least(shards: Path) -> None:
    size = max(record.bytes for record in ShardSet.open(shards).records("train", 32))
    assert check(shards, budget_bytes=1) == 1
    assert check(shards, budget_bytes=size + 1) == 2
    assert check(shards, budget_bytes=0) == 0


def test_a_file_that_is_gone(damaged: Path) -> None:
    (damaged / f"train/32/part-00003-of-{SHARDS:05d}.arrow").unlink()
    with pytest.raises(DamagedShardError, match=r"part-00003-of-00007\.arrow cannot be read \(No such file"):
        check(damaged)


def test_several_sets(shards: Path, damaged: Path) -> None:
    sets = [ShardSet.open(shards), ShardSet.open(damaged)]
    with pytest.raises(DamagedShardError, match=str(damaged)):
        check_sample(sets, "train", 32, 0, 1)


@pytest.mark.parametrize("parts", [1, 2, 3, 20])
def test_the_ranks_of_a_node_look_for_every_file_once(shards: Path, parts: int) -> None:
    """Of both splits, and of the length that is trained on."""
    sets = [ShardSet.open(shards)]
    assert sum(check_sizes(sets, 32, part, parts) for part in range(parts)) == 2 * SHARDS


@pytest.mark.parametrize("split", ["train", "heldout"])
@pytest.mark.parametrize("parts", [1, 3])
def test_what_is_gone_or_cut_is_known_before_the_first_step(
    shards: Path, tmp_path: Path, split: str, parts: int
) -> None:
    folder = Path(shutil.copytree(shards, tmp_path / "copy"))
    path = folder / f"{split}/32/part-00004-of-{SHARDS:05d}.arrow"

    def said() -> list[str]:
        found = []
        for part in range(parts):
            try:
                check_sizes([ShardSet.open(shards), ShardSet.open(folder)], 32, part, parts)
            except DamagedShardError as error:
                found.append(str(error))
        return found

    assert said() == []
    path.write_bytes(path.read_bytes()[:-8])
    (message,) = said()
    assert message.startswith(f"{path} has {path.stat().st_size} bytes, the manifest says {path.stat().st_size + 8};")
    path.unlink()
    (message,) = said()
    assert message.startswith(f"{path} cannot be read (No such file or directory); ")
