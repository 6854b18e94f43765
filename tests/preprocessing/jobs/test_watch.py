"""How far a build is, by what lies in its folder."""

import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from preprocessing import progress
from preprocessing.jobs import watch
from preprocessing.jobs.watch import BuildWatch, Phase, forget_progress
from preprocessing.progress import Progress

EXTRACT = Phase("extract", {"a": 3_000_000, "b": 1_000_000}, re.compile(r"split-(\w)\.json"), "splits")
SHARDS = Phase("build shards", {"0": 2_000_000, "1": 2_000_000}, re.compile(r"bucket-(\d)\.json"), "buckets")


def test_phases_follow_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    (tmp_path / "split-b.json").touch()  # of an earlier run: it says nothing of this one's speed
    for other in ("split-z.json", "split-a.json.tmp-1-2", "bucket-7.json"):
        (tmp_path / other).touch()
    found = BuildWatch(tmp_path / "out", tmp_path, (EXTRACT, SHARDS))
    found._begun = {"extract": (now[0], found._done(EXTRACT))}
    now[0] += 10
    assert found.look().line() == "extract: 1 of 2 splits, 1 of 4 MB, 0:00:10 so far"
    (tmp_path / "split-a.json").touch()
    assert found.look().line() == "build shards: 0 of 2 buckets, 0 of 4 MB, 0:00:00 so far"
    (tmp_path / "bucket-1.json").touch()
    now[0] += 4
    assert found.look().line() == "build shards: 1 of 2 buckets, 2 of 4 MB, 0.5 MB/s, 0:00:04 left, 0:00:04 so far"


def test_it_says_a_line_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    said = io.StringIO()
    with BuildWatch(tmp_path / "out", tmp_path, (EXTRACT, SHARDS), Progress(said)):
        deadline = time.monotonic() + 60
        while said.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert {line.rpartition(", ")[0] for line in said.getvalue().splitlines()} == {"extract: 0 of 2 splits, 0 of 4 MB"}


def test_a_folder_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    with BuildWatch(tmp_path / "out", tmp_path / "later", (EXTRACT,)) as found:
        assert found.look().line().startswith("extract: 0 of 2 splits, 0 of 4 MB, ")


def progress_in(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text()))


def test_other_programs_can_read_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the start to the end, in the output and where the variable says."""
    output, also = tmp_path / "out", tmp_path / "else where" / "progress.json"
    monkeypatch.setenv("PREPROCESSING_PROGRESS_FILE", str(also))
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0.02)
    output.mkdir()
    (output / "progress.json.tmp-1-2").touch()  # of one that was killed
    with BuildWatch(output, tmp_path, (EXTRACT, SHARDS)):
        first = progress_in(output / "progress.json")
        assert first.pop("updated") == pytest.approx(time.time(), abs=100)
        assert first == {"phase": "extract", "done": 0, "total": 2, "unit": "splits", "seconds_left": None}
        (tmp_path / "split-b.json").touch()
        deadline = time.monotonic() + 60
        while (now := progress_in(output / "progress.json"))["done"] == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert now["done"] == 1
        assert now["seconds_left"] > 0
        for name in ("split-a", "bucket-0", "bucket-1"):
            (tmp_path / f"{name}.json").touch()
    last = progress_in(output / "progress.json")
    assert (last["phase"], last["done"], last["total"], last["unit"]) == ("build shards", 2, 2, "buckets")
    assert progress_in(also) == last
    assert [file.name for file in output.iterdir()] == ["progress.json"]
    forget_progress(output)
    assert list(output.iterdir()) == []


def test_a_progress_that_cannot_be_written_ends_no_build(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with BuildWatch(tmp_path / "file" / "out", tmp_path, (EXTRACT,)) as found:
        assert found.look().done == 0
