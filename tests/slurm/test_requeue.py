"""Runs on a real Slurm of two nodes that are hurt: the job goes back into the queue and ends as if nothing had been.

Every start takes many seconds, so one run suffers one thing after another.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from cluster.snapshot import take_snapshot
from pretraining.run.checkpoint.reader import CheckpointReader
from pretraining.run.saved.ledger_check import compare_with_run

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm]

RECIPE = f"""{TINY_MODEL}shards = ["FOLDER/shards"]
[training]
steps = STEPS
batch_size = 16
micro_batch_size = 8
[evaluation]
examples = 8
[checkpoint]
every = 10
[output]
folder = "FOLDER/undisturbed"
export = false
tensorboard = false
peak_tflops = 1.0
"""
VARIABLES = {"PREFLIGHT": "0", "LOOK_SECONDS": "1", "REQUEUE_SECONDS": "3"}
STEPS, FAULTS_END_BEFORE = 400, 370


def state_of(run: Path) -> dict[str, Any]:
    file = run / "state.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    latest = (run / "checkpoints" / "latest").read_text().strip()
    return CheckpointReader(run / "checkpoints" / latest).weights()


def losses_of(run: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "event" not in line}


@pytest.fixture(scope="module")
def slurm_settings() -> dict[str, str | int]:
    """From SIGTERM to SIGKILL as long as Slurm gives by default."""
    return {"KillWait": 30}


@pytest.fixture(scope="module")
def recipe(cluster: Any) -> Path:
    """Its run does what nobody disturbs."""
    write_shards(cluster.folder / "shards", rows=500)
    file = cluster.folder / "recipe.toml"
    file.write_text(RECIPE.replace("FOLDER", str(cluster.folder)).replace("STEPS", str(STEPS)))
    return Path(file)


def until(condition: Callable[[], bool], job: Any, held: psutil.Process | None = None) -> None:
    """Waits, for minutes at most. `held`: a process that gets a tenth of the time meanwhile."""
    deadline = time.monotonic() + 400
    while not condition():
        assert time.monotonic() < deadline, f"{job.now()}\n{job.said}"
        with suppress(psutil.NoSuchProcess):
            if held is not None:
                held.suspend()
                time.sleep(0.3)
                held.resume()
        time.sleep(0.03 if held else 0.1)


def trains(run: Path, job: Any) -> Callable[[], bool]:
    """Whether a start of the job later than the one that was hurt last has saved a step of its own."""
    hurt = state_of(run)

    def has_saved() -> bool:
        now = state_of(run)
        if not now or now["start"] == hurt.get("start") or now["status"] != "running":
            return False
        assert now["step"] < FAULTS_END_BEFORE, "the run is over before it was hurt"
        return (now["saved_step"] or 0) > (hurt.get("saved_step") or 0)

    return has_saved


def kill_a_rank(cluster: Any, job: Any) -> None:
    cluster.rank_on("n2").kill()


def requeue(cluster: Any, job: Any) -> None:
    cluster.ask("scontrol", "requeue", job.number)


def preempt(cluster: Any, job: Any) -> None:
    """A job that comes before: it gets the nodes."""
    nodes = ("--partition=high", "--nodes=2", "--exclusive", "--time=1", "--output=/dev/null")
    cluster.ask("sbatch", *nodes, "--wrap=sleep 3")
    until(lambda: job.now()["JobState"] != "RUNNING", job, cluster.rank_on("n1"))


def end_its_time(cluster: Any, job: Any) -> None:
    """A limit that is one or two minutes away; the next start has an hour again."""
    hours, minutes, _ = map(int, job.now()["RunTime"].split(":"))
    cluster.ask("scontrol", "update", f"JobId={job.number}", f"TimeLimit={60 * hours + minutes + 2}")
    until(lambda: job.now()["JobState"] != "RUNNING", job, cluster.rank_on("n1"))  # Slurm looks twice a minute
    until(lambda: job.now()["JobState"] == "PENDING", job)
    cluster.ask("scontrol", "update", f"JobId={job.number}", "TimeLimit=60")


def crash_and_boot(cluster: Any, job: Any) -> None:
    """So soon that Slurm does not notice."""
    cluster.crash("n2")
    cluster.boot("n2")


def crash_for_longer(cluster: Any, job: Any) -> None:
    """With n1 the job's script is gone: Slurm itself requeues, and the job waits for the second node."""
    cluster.crash("n1")
    until(lambda: job.now()["JobState"] == "PENDING", job)
    time.sleep(3)
    assert job.now()["JobState"] == "PENDING"
    cluster.boot("n1")


FAULTS = (kill_a_rank, requeue, preempt, end_its_time, crash_and_boot, crash_for_longer)


@pytest.mark.timeout(1800)
def test_a_run_that_is_hurt_again_and_again_ends_as_if_nothing_had_been(cluster: Any, recipe: Path) -> None:
    log = cluster.run("--config", recipe, variables=VARIABLES)[1]
    assert state_of(cluster.folder / "undisturbed")["status"] == "finished", log
    run = cluster.folder / "hurt"
    job = cluster.submit("--config", recipe, f"--output.folder={run}", variables=VARIABLES)
    for fault in FAULTS:
        until(trains(run, job), job)
        began, restarts = time.monotonic(), int(job.now()["Restarts"])
        fault(cluster, job)
        until(lambda before=restarts: has_left(job.now(), before), job)  # type: ignore[misc]
        print(f"{fault.__name__}: {time.monotonic() - began:.1f} s to the requeue", file=sys.stderr)
        if fault in (requeue, preempt, end_its_time):
            assert state_of(run)["status"] == "interrupted", f"{fault.__name__}: no last save\n{job.said}"
    now = job.wait()
    assert (now["JobState"], now["ExitCode"]) == ("COMPLETED", "0:0"), job.said
    assert int(now["Restarts"]) >= len(FAULTS)
    assert state_of(run)["status"] == "finished"
    expected, found = weights_of(cluster.folder / "undisturbed"), weights_of(run)
    assert expected.keys() == found.keys()
    assert all(torch.equal(weight, found[name]) for name, weight in expected.items())
    assert "rank 1 on n2 ended without a word; start the same command again" in job.said
    assert f"step {STEPS}/{STEPS}" in job.said, "rank 0 is in the job's log"
    assert (run / "jobs" / job.number / "start0" / "rank1.log").exists()
    assert not list(cluster.repository.glob(f".pretrain-{job.number}"))


def test_on_the_node_that_is_left_it_goes_on_and_when_cancelled_it_does_not(cluster: Any, recipe: Path) -> None:
    """In float32, as only there another number of ranks gives the same losses; examples are the same in any case."""
    alone, run = cluster.folder / "alone", cluster.folder / "elastic"
    options = ["--training.precision=fp32", "--training.stop_at=200", "--training.threads=1"]
    command = [sys.executable, "pretraining/main.py", "--config", recipe, *options, f"--output.folder={alone}"]
    subprocess.run(command, check=True, capture_output=True, cwd=cluster.repository)
    job = cluster.submit(
        "--config",
        recipe,
        f"--output.folder={run}",
        "--training.precision=fp32",
        variables=VARIABLES,
        resources=("--nodes=1-2", "--gpus-per-node=1", "--cpus-per-task=1", "--time=60"),
    )
    try:
        until(trains(run, job), job)
        cluster.crash("n2")
        until(lambda: has_left(job.now(), 0), job)
        left = state_of(run)["saved_step"]
        until(trains(run, job), job)
        cluster.ask("scancel", job.number)
        assert job.now()["NodeList"] == "n1"
        until(lambda: job.now()["JobState"] == "CANCELLED", job)
        time.sleep(7)  # a requeued job would be back in the queue
        assert job.now()["JobState"] == "CANCELLED", job.said
    finally:
        cluster.boot("n2")
        (cluster.repository / f".pretrain-{job.number}").unlink(missing_ok=True)
    assert "ranks 2 there, 1 here: the same examples" in job.said
    expected, found = losses_of(alone), losses_of(run)
    shared = expected.keys() & found.keys()
    assert max(shared) > left
    assert all(found[step] == pytest.approx(expected[step], abs=1e-5) for step in shared)
    assert compare_with_run(alone, run).same


def test_a_job_that_gets_no_further_waits_longer_each_time_and_ends(cluster: Any, recipe: Path) -> None:
    code = cluster.folder / "broken code"
    shutil.copytree(take_snapshot(cluster.folder), code)
    (code / "pretraining" / "main.py").write_text("import sys\nsys.exit(75)\n")
    variables = {"PREFLIGHT": "0", "LOOK_SECONDS": "0.5", "CODE_FOLDER": str(code)}
    job = cluster.submit("--config", recipe, f"--output.folder={cluster.folder}/stuck", variables=variables)
    for restarts, seconds in enumerate((60, 300, 1500), 1):
        until(lambda count=str(restarts): is_waiting(job.now(), count), job)  # type: ignore[misc]
        now = job.now()
        times = [datetime.fromisoformat(now[name]).timestamp() for name in ("SubmitTime", "EligibleTime")]
        assert seconds - 3 <= times[1] - times[0] <= seconds + 3, now
        # Sooner than Slurm's own `cred_expire` would not do.
        cluster.ask("scontrol", "update", f"JobId={job.number}", "StartTime=now+6")
    now = job.wait()
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("FAILED", "75:0", "3"), job.said
    assert "after three requeues the work still stands at 'null', so something else is wrong: not requeued." in job.said


def is_waiting(now: dict[str, str], restarts: str) -> bool:
    return (now["JobState"], now["Restarts"]) == ("PENDING", restarts)


def has_left(now: dict[str, str], restarts: int) -> bool:
    """Whether nothing runs any more of the start that was hurt."""
    return now["JobState"] != "COMPLETING" and int(now["Restarts"]) > restarts


def test_a_mistake_in_the_recipe_is_not_tried_again(cluster: Any, recipe: Path) -> None:
    job, log = cluster.run("--config", recipe, "--training.stepps=3", variables=VARIABLES)
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "2:0", "0")
    assert "did you mean" in log
