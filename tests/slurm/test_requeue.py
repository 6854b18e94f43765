"""Runs on a real Slurm of two nodes that are hurt: the job goes back into the queue and ends as if nothing had been.

Every start takes many seconds, so one run suffers one thing after another.
"""

import shutil
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.snapshot import take_snapshot
from tests.slurm.hurt_runs import VARIABLES, has_left, same_weights, state_of, trains, until, write_recipe

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm]

STEPS, FAULTS_END_BEFORE = 400, 370


@pytest.fixture(scope="module")
def slurm_settings() -> dict[str, str | int]:
    """From SIGTERM to SIGKILL as long as Slurm gives by default."""
    return {"KillWait": 30}


@pytest.fixture(scope="module")
def recipe(cluster: Any) -> Path:
    """Its run does what nobody disturbs."""
    return write_recipe(cluster.folder, STEPS)


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
        until(trains(run, job, FAULTS_END_BEFORE), job)
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
    assert same_weights(cluster.folder / "undisturbed", run)
    assert "rank 1 on n2 ended without a word; start the same command again" in job.said
    assert f"step {STEPS}/{STEPS}" in job.said, "rank 0 is in the job's log"
    assert (run / "jobs" / job.number / "start0" / "rank1.log").exists()
    assert not list(cluster.repository.glob(f".pretrain-{job.number}"))


def test_a_job_that_is_cancelled_does_not_come_back(cluster: Any, recipe: Path) -> None:
    run = cluster.folder / "cancelled"
    job = cluster.submit("--config", recipe, f"--output.folder={run}", variables=VARIABLES)
    until(trains(run, job, FAULTS_END_BEFORE), job)
    cluster.ask("scancel", job.number)
    until(lambda: job.now()["JobState"] == "CANCELLED", job)
    time.sleep(7)  # a requeued job would be back in the queue
    assert (job.now()["JobState"], job.now()["Restarts"]) == ("CANCELLED", "0"), job.said
    # A script that Slurm has killed before it could take its link away leaves it.
    (cluster.repository / f".pretrain-{job.number}").unlink(missing_ok=True)


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
        cluster.ask("scontrol", "update", f"JobId={job.number}", "StartTime=now+6")
    now = job.wait()
    assert (now["JobState"], now["ExitCode"], now["Restarts"]) == ("FAILED", "75:0", "3"), job.said
    assert "after three requeues the work still stands at 'null', so something else is wrong: not requeued." in job.said


def is_waiting(now: dict[str, str], restarts: str) -> bool:
    return (now["JobState"], now["Restarts"]) == ("PENDING", restarts)


def test_a_mistake_in_the_recipe_is_not_tried_again(cluster: Any, recipe: Path) -> None:
    job, log = cluster.run("--config", recipe, "--training.stepps=3", variables=VARIABLES)
    assert (job["JobState"], job["ExitCode"], job["Restarts"]) == ("FAILED", "2:0", "0")
    assert "did you mean" in log
