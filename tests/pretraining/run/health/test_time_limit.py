"""The job's end: read from Slurm, and stopped for in time."""

from datetime import datetime
from pathlib import Path

import pytest

from pretraining.run.health.time_limit import TimeLimit, job_end


def test_as_the_environment_says() -> None:
    assert job_end({"SLURM_JOB_END_TIME": "1900000000", "SLURM_JOB_ID": "7"}) == 1_900_000_000
    assert job_end({}) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("JobId=7 EndTime=2030-01-02T03:04:05 Deadline=N/A", datetime(2030, 1, 2, 3, 4, 5).timestamp()),
        ("JobId=7 EndTime=Unknown", None),
        ("", None),
    ],
)
def test_as_scontrol_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, expected: float | None) -> None:
    command = tmp_path / "scontrol"
    command.write_text(f"#!/bin/sh\necho '{said}'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert job_end({"SLURM_JOB_ID": "7"}) == expected


def test_without_slurm_s_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert job_end({"SLURM_JOB_ID": "7"}) is None
    assert job_end({"SLURM_JOB_ID": "7; rm -rf"}) is None


def test_it_is_near_when_a_step_and_a_save_may_not_fit() -> None:
    limit = TimeLimit(end=1000.0, save_seconds=80.0)
    assert not limit.is_near(5.0, now=700.0)
    assert limit.is_near(5.0, now=801.0)  # 2 * (80 + 5) + 30 seconds are wanted
    limit.saved(10.0)  # measured: quicker than was feared
    assert not limit.is_near(5.0, now=930.0)
    assert limit.is_near(5.0, now=941.0)
    limit.saved(40.0)
    assert limit.is_near(5.0, now=890.0)
    assert TimeLimit(None, 80.0).is_near(1e9) is False
