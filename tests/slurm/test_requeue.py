"""Runs on a real Slurm of two nodes that are hurt: the job goes back into the queue and ends as if nothing had been."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from pretraining.run.checkpoint.reader import CheckpointReader

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm]

RECIPE = f"""{TINY_MODEL}shards = ["FOLDER/shards"]
[training]
steps = 30
batch_size = 16
micro_batch_size = 8
[evaluation]
examples = 8
[checkpoint]
every = 4
[health]
lost_after_seconds = 20.0
[output]
folder = "FOLDER/undisturbed"
export = false
tensorboard = false
peak_tflops = 1.0
"""
VARIABLES = {"PREFLIGHT": "0", "LOOK_SECONDS": "1", "SRUN_SECONDS": "10"}


def state_of(run: Path) -> dict[str, Any]:
    file = run / "state.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    latest = (run / "checkpoints" / "latest").read_text().strip()
    return CheckpointReader(run / "checkpoints" / latest).weights()


@pytest.fixture(scope="module")
def recipe(cluster: Any) -> Path:
    """Its run does what nobody disturbs."""
    write_shards(cluster.folder / "shards", rows=500)
    file = cluster.folder / "recipe.toml"
    file.write_text(RECIPE.replace("FOLDER", str(cluster.folder)))
    return Path(file)


@pytest.fixture(scope="module")
def undisturbed(cluster: Any, recipe: Path) -> Path:
    job, log = cluster.run("--config", recipe, variables=VARIABLES)
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "0"), log
    return Path(cluster.folder / "undisturbed")


def until(condition: Callable[[], bool], job: Any, seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, job.said
        time.sleep(0.1)


def kill_rank_on(node: str) -> Callable[[Any, Any], None]:
    def kill(cluster: Any, job: Any) -> None:
        cluster.rank_on(node).kill()

    return kill


def crash_and_boot(cluster: Any, job: Any) -> None:
    cluster.crash("n2")
    cluster.boot("n2")


def out_of_time(cluster: Any, job: Any) -> None:
    cluster.ask("scancel", "--batch", "--signal=USR1", job.number)


FAULTS = {
    "rank 0 killed": kill_rank_on("n1"),
    "rank 1 killed": kill_rank_on("n2"),
    "node crashed and booted": crash_and_boot,
    "out of time": out_of_time,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hurt_run_goes_back_into_the_queue_and_ends_as_if_nothing_had_been(
    cluster: Any, recipe: Path, undisturbed: Path, fault: str
) -> None:
    run = cluster.folder / fault.replace(" ", "-")
    job = cluster.submit("--config", recipe, f"--output.folder={run}", variables=VARIABLES)
    until(lambda: bool(state_of(run).get("saved_step")), job)
    began = time.monotonic()
    FAULTS[fault](cluster, job)
    until(lambda: job.now()["Restarts"] == "1", job)
    print(f"{fault}: {time.monotonic() - began:.1f} s to the requeue", file=sys.stderr)
    now = job.wait()
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("COMPLETED", "0:0", "1"), job.said
    assert state_of(run)["status"] == "finished"
    assert "back into the queue" in job.said
    assert len((run / "requeues").read_text().splitlines()) == 1
    expected, found = weights_of(undisturbed), weights_of(run)
    assert expected.keys() == found.keys()
    assert all(torch.equal(weight, found[name]) for name, weight in expected.items())


def test_a_job_that_its_user_cancels_does_not_come_back(cluster: Any, recipe: Path) -> None:
    run = cluster.folder / "cancelled"
    job = cluster.submit("--config", recipe, f"--output.folder={run}", variables=VARIABLES)
    until(lambda: bool(state_of(run).get("saved_step")), job)
    cluster.ask("scancel", job.number)
    until(lambda: "EndTime" in job.now() and job.now()["JobState"] not in ("RUNNING", "COMPLETING"), job)
    time.sleep(10)
    now = job.now()
    assert (now["JobState"], now["Restarts"]) == ("CANCELLED", "0"), job.said
