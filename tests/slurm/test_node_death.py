"""Runs on a real Slurm whose nodes die for good: they go on where they can, and wait where they cannot.

Slurm takes longer to notice than the ranks, as it does by default. All in float32: only there does another number of
ranks give the same losses.
"""

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pretraining.run.saved.ledger_check import compare_with_run
from tests.slurm.hurt_runs import (
    VARIABLES,
    has_left,
    losses_of,
    same_weights,
    state_of,
    trains,
    until,
    write_recipe,
)

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm]

STEPS, DEATHS_BEFORE = 400, 370
FIXED = ("--nodes=2", "--gpus-per-node=1", "--cpus-per-task=1", "--time=60")
ELASTIC = ("--nodes=1-2", "--exclude=n3", *FIXED[1:])


@pytest.fixture(scope="module")
def slurm_settings() -> dict[str, str | int]:
    """So long that the script comes to its requeue well before Slurm notices anything."""
    return {"KillWait": 30, "SlurmdTimeout": 60}


@pytest.fixture(scope="module")
def nodes() -> int:
    return 3


@pytest.fixture(scope="module")
def recipe(cluster: Any) -> Path:
    return write_recipe(cluster.folder, STEPS)


@pytest.fixture(scope="module")
def undisturbed(cluster: Any, recipe: Path) -> Path:
    """A run on two nodes that live."""
    job = cluster.submit(*arguments(recipe), variables=VARIABLES, resources=FIXED)
    assert job.wait()["JobState"] == "COMPLETED", job.said
    return Path(cluster.folder / "undisturbed")


def arguments(recipe: Path) -> tuple[str, ...]:
    return ("--config", str(recipe), "--training.precision=fp32")


def die(cluster: Any, job: Any, run: Path, node: str) -> None:
    """Cuts a node's power; returns when the job has left the nodes that are left."""
    restarts, start, began = int(job.now()["Restarts"]), state_of(run)["start"], time.monotonic()
    cluster.crash(node)
    until(lambda: state_of(run)["status"] == "interrupted", job)
    ended = time.monotonic() - began
    until(lambda: has_left(job.now(), restarts), job)
    left = time.monotonic() - began
    print(
        f"{node} of start {start} died: ranks ended after {ended:.1f} s, requeued after {left:.1f} s", file=sys.stderr
    )
    assert ended < 60
    assert "until Slurm takes such a node for down and requeues the job" in job.said
    assert "Slurm has ended this start itself" in job.said


@pytest.mark.timeout(1800)
def test_a_spare_node_is_taken_and_without_one_the_job_waits_for_the_nodes_return(
    cluster: Any, recipe: Path, undisturbed: Path
) -> None:
    run = cluster.folder / "fixed"
    job = cluster.submit(*arguments(recipe), f"--output.folder={run}", variables=VARIABLES, resources=FIXED)
    try:
        until(trains(run, job, DEATHS_BEFORE), job)
        die(cluster, job, run, "n2")
        until(trains(run, job, DEATHS_BEFORE), job)
        assert job.now()["NodeList"] == "n[1,3]"
        die(cluster, job, run, "n3")
        until(lambda: job.now()["Reason"].startswith(("Nodes_required_for_job_are_DOWN", "Resources")), job)
        assert job.now()["JobState"] == "PENDING", "two nodes are asked for, and one is there"
    finally:
        cluster.boot("n2")
        cluster.boot("n3")
    now = job.wait()
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("COMPLETED", "0:0", "2"), job.said
    assert same_weights(undisturbed, run)
    assert compare_with_run(undisturbed, run).same


@pytest.mark.timeout(1800)
def test_on_the_node_that_is_left_an_elastic_job_goes_on(cluster: Any, recipe: Path, undisturbed: Path) -> None:
    """With the losses and the examples of two nodes."""
    run = cluster.folder / "elastic"
    job = cluster.submit(*arguments(recipe), f"--output.folder={run}", variables=VARIABLES, resources=ELASTIC)
    try:
        until(trains(run, job, DEATHS_BEFORE), job)
        die(cluster, job, run, "n2")
        left = state_of(run)["saved_step"]
        now = job.wait()
    finally:
        cluster.boot("n2")
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("COMPLETED", "0:0", "1"), job.said
    assert now["NodeList"] == "n1"
    assert "ranks 2 there, 1 here: the same examples" in job.said
    expected, found = losses_of(undisturbed), losses_of(run)
    shared = expected.keys() & found.keys()
    assert max(shared) > left
    assert all(found[step] == pytest.approx(expected[step], abs=1e-5) for step in shared)
    assert compare_with_run(undisturbed, run).same
