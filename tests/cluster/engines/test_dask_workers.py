"""A node's workers: started again when they end, until the scheduler has ended."""

import json
import sys
from pathlib import Path

import pytest

from cluster.engines import dask_workers
from cluster.engines.dask_meeting import Meeting
from cluster.errors import ClusterError


@pytest.fixture
def meeting(tmp_path: Path) -> Meeting:
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": "tls://n1:5"}))
    return Meeting(tmp_path)


def test_workers_that_end_are_started_again(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the third start the scheduler has ended."""
    commands, looks = [], []

    def run(command: list[str], meeting: Meeting) -> bool:
        commands.append(command)
        return len(commands) == 3

    monkeypatch.setattr(dask_workers, "_run_until_the_end", run)
    monkeypatch.setattr(dask_workers, "PAUSES", (0.0,))
    monkeypatch.setattr(dask_workers.batch_host, "requeue_if_lost", lambda: looks.append(1))
    dask_workers.keep_workers(meeting, 4)
    assert len(commands) == 3
    assert commands[0][:5] == [sys.executable, "-m", "dask", "worker", "tls://n1:5"]
    assert "--nworkers 4 --nthreads 1" in " ".join(commands[0])
    assert len(looks) == 2
    assert capsys.readouterr().err.count("ended; starting them again\n") == 2


def test_they_end_with_the_scheduler(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_workers, "LOOK_SECONDS", 0.01)
    over = f"import os, time; os.remove({str(meeting.address_file)!r}); time.sleep(300)"
    assert dask_workers._run_until_the_end([sys.executable, "-c", over], meeting)


def test_it_is_noticed_that_they_ended_by_themselves(meeting: Meeting) -> None:
    assert not dask_workers._run_until_the_end([sys.executable, "-c", ""], meeting)


def test_a_scheduler_that_never_comes_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_workers, "SECONDS_TO_WAIT", 0.0)
    with pytest.raises(ClusterError, match="no scheduler in"):
        dask_workers.keep_workers(Meeting(tmp_path), 1)


def test_no_worker_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dask_workers.main(["--meeting", str(tmp_path), "--workers", "0"]) == 2
    assert capsys.readouterr().err == "dask_workers: --workers 0: must be at least 1\n"
