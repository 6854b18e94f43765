"""Shards that are missing, changed or others than on the other nodes."""

import shutil
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from cluster.checks.meeting import Meeting
from cluster.checks.shards import Shards, faults, measure, share_of, summary


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("shards") / "shards", rows=20, heldout_rows=5)


@pytest.fixture
def shards(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "shards")


def on_every_rank(folder: Path, mib: float = 256.0, ranks: int = 3) -> list[Shards]:
    """What two ranks on n1 and others on nodes of their own find: no store is needed for it."""
    hosts = ["n1", *(f"n{rank}" for rank in range(1, ranks))]
    return [measure(Meeting(rank, hosts, None, 1.0), [str(folder)], mib) for rank in range(ranks)]  # type: ignore[arg-type]


def test_whole_shards(shards: Path) -> None:
    found = on_every_rank(shards)
    assert faults(found) == []
    assert summary(found) == "4 files on 2 nodes, 4 of them hashed (0 of 0 MiB)"
    assert summary(on_every_rank(shards, mib=0)).startswith("4 files on 2 nodes, 0 of them hashed")


def test_a_flipped_byte_is_found_by_one_rank(shards: Path) -> None:
    path = next((shards / "train").rglob("*.arrow"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (sentence,) = faults(on_every_rank(shards))
    assert f": {path} is not as it was written (sha256 " in sentence
    assert sentence.startswith("n")
    assert faults(on_every_rank(shards, mib=0)) == []


def test_a_file_that_is_missing_or_cut_is_seen_on_every_node(shards: Path) -> None:
    gone, cut = sorted((shards / "train").rglob("*.arrow"))
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    sentences = sorted(faults(on_every_rank(shards)))
    assert len(sentences) == 2
    assert sentences[0].startswith(
        f"every node: {gone} cannot be found (No such file or directory); copy the shards anew"
    )
    assert sentences[1].startswith(f"every node: {cut} has {cut.stat().st_size} bytes, the manifest says ")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (sentence,) = faults(on_every_rank(tmp_path / "none"))
    assert sentence.startswith(f"every node: {tmp_path}/none is not a folder of shards: no such folder;")


def test_other_shards_on_one_node() -> None:
    def found(rank: int, fingerprint: str) -> Shards:
        numbers = dict.fromkeys(("files", "bytes", "hashed_files", "hashed_bytes"), 1)
        return Shards(host=f"n{rank + 1}", rank=rank, fingerprints={"s": fingerprint}, broken=(), **numbers)

    (sentence,) = faults([found(0, "a" * 64), found(1, "a" * 64), found(2, "b" * 64)])
    assert sentence.startswith(
        "n3: s holds other shards (fingerprint bbbbbbbbbbbb…) than on n1 and n2 (aaaaaaaaaaaa…);"
    )


def test_a_sample_is_spread_and_keeps_to_its_budget() -> None:
    hashes = [bytes([number * 7 % 100]) * 32 for number in range(100)]
    shares = [share_of(hashes, [10] * 100, rank, 4, budget=10_000) for rank in range(4)]
    assert sorted(place for share in shares for place in share) == list(range(100))
    assert [hashes[place][0] for place in shares[1]] == list(range(1, 100, 4))
    assert [len(share_of(hashes, [10] * 100, rank, 4, budget=55)) for rank in range(4)] == [5, 5, 5, 5]
    assert share_of([b"0", b"1"], [100, 10], 0, 1, budget=50) == [1]
    assert share_of([b"same"] * 3, [1, 2, 3], 1, 2, budget=50) == [1]
