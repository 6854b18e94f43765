"""A job whose script's node is lost goes back into the queue, by one of the nodes that are left."""

from pathlib import Path

import pytest

from cluster.engines.batch_host import requeue_if_lost


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that tells of job 7 what STATE, BATCH_HOST and NODES say; the file of its calls."""
    calls, command = tmp_path / "calls", tmp_path / "scontrol"
    command.write_text(
        f"""#!/bin/bash
        echo "$*" >> {calls}
        case "$*" in
            "-o show job 7") echo "JobId=7 JobState=$STATE BatchHost=$BATCH_HOST NodeList=$NODES NumNodes=2" ;;
            "show hostnames $NODES") tr , '\\n' <<<"$NODES" ;;
            "requeue 7") ;;
            *) exit 1 ;;
        esac"""
    )
    command.chmod(0o755)
    values = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n2"}
    for name, value in {**values, "STATE": "RUNNING", "BATCH_HOST": "n1", "NODES": "n2,n3"}.items():
        monkeypatch.setenv(name, value)
    return calls


def test_it_is_requeued(scontrol: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert requeue_if_lost()
    assert scontrol.read_text().splitlines()[-1] == "requeue 7"
    assert capsys.readouterr().err == "the node of the job's script, n1, is lost: back into the queue\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NODES", "n1,n2,n3"),  # not lost
        ("SLURMD_NODENAME", "n3"),  # n2 does it
        ("STATE", "COMPLETING"),
        ("STATE", "PENDING"),
        ("SLURM_JOB_ID", "8"),  # Slurm knows no such job
        ("SLURM_JOB_ID", ""),  # no job at all
        ("PATH", "/nowhere"),
    ],
)
def test_it_is_not_requeued(scontrol: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert not requeue_if_lost()
    assert not scontrol.exists() or "requeue" not in scontrol.read_text()
