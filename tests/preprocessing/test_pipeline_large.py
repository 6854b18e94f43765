"""A build of so many buckets that they are dealt in two steps."""

import re
from pathlib import Path

import pytest

from preprocessing.build import gather, partitions
from preprocessing.build.references import read_sidecar
from preprocessing.jobs import steps
from tests.preprocessing.small_build import Build, content, refused


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every build had so many buckets that they are dealt in two steps."""
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 2)
    monkeypatch.setattr(partitions, "PARTITIONS", 3)


def test_a_large_build_writes_the_same(
    build_shards: Build, tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "GATHERED_TOKENS", 1000)
    assert build_shards("--keep-intermediate", output=tmp_path / "large") == 0
    intermediate = tmp_path / "large" / "intermediate"
    assert len(list(intermediate.glob("partition-*.arrow"))) == 3
    assert max(len(read_sidecar(path)["numbers"]) for path in intermediate.glob("partition-*.json")) > 4
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 512)
    assert build_shards() == 0
    found = [content(tmp_path / name) for name in ("large", "shards")]
    assert {name for name in found[0] if not name.startswith("intermediate")} == set(found[1])
    assert all(found[0][name] == found[1][name] for name in found[1] if name != "build.lock")
    assert build_shards(output=tmp_path / "large") == 0
    assert not intermediate.exists()


def test_partitions_that_a_runner_loses_fail_the_build(
    build_shards: Build, large: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = steps.share_of
    monkeypatch.setattr(steps, "share_of", lambda *arguments: whole(*arguments)[1:])
    assert re.search(r"The runner delivered 0 of \d+ documents to partition 0", refused(capsys, build_shards()))


def test_a_large_build_goes_on_from_its_partitions(
    build_shards: Build, tmp_path: Path, large: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_shards("--keep-intermediate") == 0
    before = content(tmp_path / "shards")
    shards = tmp_path / "shards"
    (shards / "manifest.json").unlink()
    for path in (shards / "intermediate").glob("bucket-*.json"):
        path.unlink()
    kept, lost = sorted((shards / "intermediate").glob("partition-*.arrow"))[:2]
    time_before = kept.stat().st_mtime_ns
    lost.unlink()
    assert build_shards("--keep-intermediate") == 0
    assert content(shards) == before
    assert kept.stat().st_mtime_ns == time_before
    # A damaged one is named, and made again when it is gone.
    (shards / "manifest.json").unlink()
    for path in (shards / "intermediate").glob("bucket-*.json"):
        path.unlink()
    kept.write_bytes(b"half")
    capsys.readouterr()
    assert f"{kept.name} is missing or damaged" in refused(capsys, build_shards("--keep-intermediate"))
    kept.unlink()
    assert build_shards("--keep-intermediate") == 0
    assert content(shards) == before
