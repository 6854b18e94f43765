"""A build into a folder where one began, ended, or runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing import folder_lock
from tests.preprocessing.small_build import Build, content, refused


def test_a_complete_build_is_left_alone(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_shards("--keep-intermediate") == 0
    assert (tmp_path / "shards" / "intermediate").is_dir()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "shards" / "train").rglob("*")}
    capsys.readouterr()
    assert build_shards() == 0
    assert "nothing to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "shards" / "train").rglob("*")} == times
    assert not (tmp_path / "shards" / "intermediate").exists()


def test_a_build_goes_on_where_it_was_stopped(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards("--keep-intermediate") == 0
    whole = content(tmp_path / "shards")
    shards = tmp_path / "shards"
    kept, lost, *_ = sorted((shards / "train" / "16").iterdir())
    (shards / "manifest.json").unlink()
    lost.unlink()
    max((shards / "intermediate").glob("bucket-*.json")).unlink()
    next((shards / "intermediate").glob("split-*.json")).unlink()
    (shards / "train" / "16" / f"{lost.name}.tmp-1-1").write_text("left by a killed worker")
    before = kept.stat().st_mtime_ns
    assert build_shards("--keep-intermediate") == 0
    assert content(shards) == whole
    assert kept.stat().st_mtime_ns == before


def test_a_shard_that_is_gone_is_built_again(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards() == 0
    whole = content(tmp_path / "shards")
    next((tmp_path / "shards" / "heldout" / "32").iterdir()).unlink()
    assert build_shards() == 0
    assert content(tmp_path / "shards") == whole


def test_a_folder_of_another_build_is_refused(
    build_shards: Build, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_shards() == 0
    whole = content(tmp_path / "shards")
    message = refused(capsys, build_shards("--seed", "3", "--whole-word-masking"))
    assert "another configuration" in message
    assert "examples.seed: 12345 → 3" in message
    message = refused(capsys, build_shards("--sentences", str(inputs / "text" / "[ab].txt"), "--bucket-bytes", "6000"))
    assert "other inputs" in message or "buckets" in message
    (tmp_path / "shards" / "manifest.json").unlink()
    assert "another configuration" in refused(capsys, build_shards("--seed", "3"))
    whole.pop("manifest.json")
    assert content(tmp_path / "shards") == whole


def test_only_one_build_writes_into_a_folder(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "WAIT_SECONDS", 0.0)
    holder = "import sys, time; from pathlib import Path; from preprocessing.folder_lock import FolderLock\n"
    holder += "with FolderLock(Path(sys.argv[1]), 'build.lock', ''): print('held', flush=True); time.sleep(600)"
    command = [sys.executable, "-c", holder, str(tmp_path / "shards")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        code = build_shards()
        other.kill()
    said = capsys.readouterr().err
    assert code == 2
    assert f"is in use by process {other.pid} on" in said
    assert "give another --output" in said
    assert build_shards() == 0
