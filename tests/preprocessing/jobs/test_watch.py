"""How far a build is, by what lies in its folder."""

import io
import re
import time
from pathlib import Path

import pytest

from preprocessing.jobs import watch
from preprocessing.jobs.watch import BuildWatch, Phase

EXTRACT = Phase("extract", {"a": 3_000_000, "b": 1_000_000}, re.compile(r"split-(\w)\.json"))
SHARDS = Phase("build shards", {"0": 2_000_000, "1": 2_000_000}, re.compile(r"bucket-(\d)\.json"))


def test_phases_follow_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    (tmp_path / "split-b.json").touch()  # of an earlier run: it says nothing of this one's speed
    for other in ("split-z.json", "split-a.json.tmp-1-2", "bucket-7.json"):
        (tmp_path / other).touch()
    found = BuildWatch(tmp_path, (EXTRACT, SHARDS), io.StringIO())
    found._begun = {"extract": (now[0], found._done(EXTRACT))}
    now[0] += 10
    assert found.line() == "extract: 1 of 2, 1 of 4 MB"
    (tmp_path / "split-a.json").touch()
    assert found.line() == "build shards: 0 of 2, 0 of 4 MB"
    (tmp_path / "bucket-1.json").touch()
    now[0] += 4
    assert found.line() == "build shards: 1 of 2, 2 of 4 MB, 0.5 MB/s, 0:00:04 left"


def test_it_says_a_line_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LINE_SECONDS", 0.05)
    said = io.StringIO()
    with BuildWatch(tmp_path, (EXTRACT, SHARDS), said):
        deadline = time.monotonic() + 60
        while said.getvalue().count("\n") < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert set(said.getvalue().splitlines()) == {"extract: 0 of 2, 0 of 4 MB"}


def test_a_folder_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    with BuildWatch(tmp_path / "later", (EXTRACT,), io.StringIO()) as found:
        assert found.line() == "extract: 0 of 2, 0 of 4 MB"
