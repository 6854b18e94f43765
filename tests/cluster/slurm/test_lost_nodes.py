"""`await_lost_nodes` of the Slurm scripts: which nodes are waited for, and until when.

A slurmd is a socket of this process; what Slurm says of nodes and of the job stands in files that a stand-in for
scontrol prints. The same on a real Slurm: `tests/slurm/test_node_death.py`.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

WAITS = "1 reason; {}: no answer. This waits until Slurm takes such a node for down and requeues the job, {} seconds"


@pytest.fixture
def slurmd() -> Iterator[int]:
    """A port at which somebody listens, on all of the loopback's addresses."""
    with socket.create_server(("0.0.0.0", 0), backlog=4096) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that nobody else gets, and at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def node(name: str, port: int, state: str = "ALLOCATED") -> str:
    return f"NodeName={name} Arch=x86_64 NodeAddr=127.0.0.1 NodeHostName={name} Port={port} State={state} Weight=1"


def running(ends: datetime | None = None, state: str = "RUNNING") -> str:
    end = "Unknown" if ends is None else ends.isoformat(timespec="seconds")
    return (
        f"JobId=4711 JobName=x JobState={state} Reason=None StartTime=2026-11-30T18:14:00 EndTime={end} Partition=main"
    )


class Slurm:
    """What Slurm says, and the script that asks it."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self.repository = folder, repository
        (folder / "bin").mkdir()
        scontrol = folder / "bin" / "scontrol"
        scontrol.write_text(f'#!/bin/bash\ncat -- "{folder}/${{@: -2:1}}" 2>/dev/null || cat -- "{folder}/config"\n')
        scontrol.chmod(0o755)
        self.says("job", running())
        self.configure()

    def says(self, what: str, *lines: str) -> None:
        """Replaces a file as a whole, so that nobody reads half of it."""
        new = self.folder / "new"
        new.write_text("\n".join(lines) + "\n")
        new.rename(self.folder / what)

    def configure(self, timeout: int = 300, port: int = 6818) -> None:
        self.says("config", f"SlurmdPort              = {port}", f"SlurmdTimeout           = {timeout} sec")

    def begin(self, nodes: int = 2) -> "subprocess.Popen[str]":
        """Prints `over` where the function returns."""
        sourced = "set -euo pipefail; say() { echo 1 $*; }; source cluster/slurm/lost_nodes.sh"
        script = f"{sourced}; await_lost_nodes reason; echo over"
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NODELIST": "n[1-2]",
            "SLURM_JOB_NUM_NODES": str(nodes),
            "SLURMD_NODENAME": "n1",
            "NODE_LOOK_SECONDS": "0.1",
        }
        return subprocess.Popen(
            ["bash", "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.repository,
        )

    def ends(self) -> str:
        process = self.begin()
        said, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        return said + errors


@pytest.fixture
def slurm(tmp_path: Path, repository: Path) -> Slurm:
    return Slurm(tmp_path, repository)


def waits(process: "subprocess.Popen[str]") -> str:
    """The line that says so."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("state", ["DOWN+NOT_RESPONDING", "DOWN*"])
def test_nodes_that_answer_or_are_down_for_slurm_are_not_waited_for(
    slurm: Slurm, slurmd: int, closed: int, state: str
) -> None:
    slurm.says("node", node("n1", slurmd), node("n2", slurmd))
    assert slurm.ends() == "over\n"
    slurm.says("node", node("n1", slurmd), node("n2", closed, state))
    assert slurm.ends() == "over\n"


def test_the_port_is_the_nodes_own_or_that_of_all(slurm: Slurm, slurmd: int) -> None:
    slurm.configure(port=slurmd, timeout=0)
    slurm.says("node", *(node(name, 0).replace(" Port=0", "") for name in ("n1", "n2")))
    assert slurm.ends() == "over\n"


def test_where_slurm_cannot_be_asked_nothing_is_waited_for(slurm: Slurm) -> None:
    (slurm.folder / "bin" / "scontrol").write_text("#!/bin/bash\necho cannot >&2\nexit 1\n")
    assert slurm.ends() == "over\n"


def test_a_port_that_is_closed_to_jobs_says_nothing(slurm: Slurm, closed: int) -> None:
    slurm.says("node", node("n1", closed), node("n2", closed))
    assert slurm.ends() == "over\n"


def test_a_job_of_one_node_asks_nothing(slurm: Slurm, closed: int, slurmd: int) -> None:
    slurm.says("node", node("n1", slurmd), node("n2", closed))
    assert slurm.begin(nodes=1).communicate(timeout=120)[0] == "over\n"


@pytest.mark.parametrize("seen", [False, True])
def test_slurm_requeues_the_job_itself(slurm: Slurm, slurmd: int, closed: int, seen: bool) -> None:
    """Whether or not the nodes are seen to be down before the job is."""
    slurm.says("node", node("n1", slurmd), node("n2", closed), node("n3", closed))
    process = slurm.begin()
    assert waits(process).startswith(WAITS.format("n2 n3", 460))
    time.sleep(1)
    assert process.poll() is None
    slurm.says("job", running(state="COMPLETING"))
    if seen:
        slurm.says("node", node("n1", slurmd), *(node(name, closed, "DOWN") for name in ("n2", "n3")))
    assert process.communicate(timeout=120)[0] == "1 Slurm has ended this start itself\n"
    assert process.returncode == 0


def test_a_node_that_is_back_is_waited_for_no_longer(slurm: Slurm, slurmd: int, closed: int) -> None:
    slurm.says("node", node("n1", slurmd), node("n2", closed))
    process = slurm.begin()
    assert waits(process).startswith(WAITS.format("n2", 460))
    slurm.says("node", node("n1", slurmd), node("n2", slurmd))
    assert process.communicate(timeout=120)[0] == "over\n"


@pytest.mark.parametrize(
    ("timeout", "seconds_left", "expected"), [(0, None, 0), (300, 32, 2), (300, 10, 0), (300, -5, 0)]
)
def test_it_is_not_waited_for_ever(
    slurm: Slurm, slurmd: int, closed: int, timeout: int, seconds_left: int | None, expected: int
) -> None:
    """Without a SlurmdTimeout nodes never are down; and the job must leave half a minute before its time is over."""
    slurm.says("node", node("n1", slurmd), node("n2", closed))
    slurm.configure(timeout)
    if seconds_left is not None:
        slurm.says("job", running(datetime.now() + timedelta(seconds=seconds_left)))
    said = slurm.ends()
    found = int(said.partition(" seconds at most")[0].rpartition(" ")[2])
    assert expected - 2 <= found <= expected
    assert "1 n2: still no answer, and Slurm has not requeued the job" in said
    assert "over\n" in said
