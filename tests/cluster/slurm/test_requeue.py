"""`requeue.sh`, by way of `pretrain.sbatch`: how often a job goes back into the queue, and how long it waits."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.slurm.conftest import LATER, run, start, state


@pytest.mark.parametrize(
    ("lines", "saved_step", "expected"),
    [
        ("", 40, 0),
        ("40\n40\n", 40, 0),
        ("40\n40\n40\n", 40, 75),
        ("20\n40\n40\n40\n", 40, 75),
        ("40\n40\n40\n", 41, 0),
        ("40\n40\n40\n", 4, 0),
        ("20\n40\n40\n", 40, 0),
        ("40\n40\n40\n20\n", 40, 0),
        ("null\nnull\nnull\n", 40, 0),
        ("null\nnull\nnull\n", None, 75),
    ],
)
@pytest.mark.parametrize("written", ["interrupted", "running"])
def test_a_run_that_gets_no_further_is_not_requeued_for_ever(
    repository: Path,
    slurm: dict[str, str],
    tmp_path: Path,
    lines: str,
    saved_step: int | None,
    expected: int,
    written: str,
) -> None:
    requeues = tmp_path / "run" / "jobs" / "4711" / "requeues"
    requeues.parent.mkdir(parents=True)
    requeues.write_text(lines)
    now_state = state(written, saved_step, start="4711.3")
    restarted = {"SLURM_RESTART_COUNT": "3", "STATE": now_state, "SRUN_CODE": "137"}
    process = start(repository, {**slurm, "PREFLIGHT": "0", **restarted})
    _, said = process.communicate()
    now = "null" if saved_step is None else str(saved_step)
    assert process.returncode == expected
    assert (f"the work still stands at '{now}', so something else is wrong: not requeued." in said) == (expected == 75)
    assert requeues.read_text() == (lines if expected else f"{lines}{now}\n")
    assert ("scontrol requeue 4711" in Path(slurm["CALLS"]).read_text()) == (expected == 0)


def test_requeues_are_counted_from_a_submission_on_and_wait_longer_each_time(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    """Four ends at one step: the fourth is the last. Submitted again by hand, it is tried again."""
    environment = {**slurm, "PREFLIGHT": "0", "SRUN_CODE": "75"}
    starts = [("4711", 0), ("4711", 1), ("4711", 2), ("4711", 3), ("4712", 0)]
    codes = []
    for job, count in starts:
        of_start = {"SLURM_JOB_ID": job, "STATE": state("interrupted", start=f"{job}.{count}")}
        if count:
            of_start["SLURM_RESTART_COUNT"] = str(count)
        codes.append(run(repository, {**environment, **of_start}, "pretrain.sbatch")[0])
    assert codes == [0, 0, 0, 75, 0]
    assert (tmp_path / "run" / "jobs" / "4712" / "requeues").read_text() == "40\n"
    times = re.findall(r"JobId=(\d+) StartTime=now\+(\d+)seconds", Path(slurm["CALLS"]).read_text())
    assert times == [("4711", "60"), ("4711", "300"), ("4711", "1500"), ("4712", "60")]


@pytest.mark.parametrize(("count", "expected"), [("2", 0), ("3", 75)])
def test_where_requeues_cannot_be_counted_the_starts_are(
    repository: Path, slurm: dict[str, str], tmp_path: Path, count: str, expected: int
) -> None:
    """As on a full disk, which may be mended meanwhile. Here a folder lies in the way, as root may write everywhere."""
    (tmp_path / "run" / "jobs" / "4711" / "requeues").mkdir(parents=True)
    stated = {"STATE": state("interrupted", start=f"4711.{count}"), "SLURM_RESTART_COUNT": count}
    process = start(repository, {**slurm, "PREFLIGHT": "0", "SRUN_CODE": "75", **stated})
    said = process.communicate()[1]
    assert process.returncode == expected
    assert "Slurm's own count of starts is taken" in said
    assert ("scontrol requeue 4711" in Path(slurm["CALLS"]).read_text()) == (expected == 0)


def test_a_log_on_a_full_disk_does_not_keep_a_job_from_the_queue(repository: Path, slurm: dict[str, str]) -> None:
    environment = {**slurm, "PREFLIGHT": "0", "STATE": state("interrupted"), "SRUN_CODE": "75"}
    script = repository / "cluster" / "slurm" / "pretrain.sbatch"
    with open("/dev/full", "w") as full:
        ended = subprocess.run(["bash", script], env=environment, stdout=full, stderr=full, check=False)
    assert ended.returncode == 0
    assert Path(slurm["CALLS"]).read_text().splitlines()[1:] == ["scontrol requeue 4711", LATER]


def test_a_job_that_may_not_be_requeued_says_so(repository: Path, slurm: dict[str, str]) -> None:
    process = start(repository, {**slurm, "PREFLIGHT": "0", "STATE": state("interrupted"), "REQUEUE_CODE": "1"})
    assert "the job could not be requeued" in process.communicate()[1]
    assert process.returncode == 75


def test_a_job_that_slurm_has_requeued_already_keeps_what_it_started_with(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    """It refuses a second requeue, and the next start goes on with the same code."""
    faster = {"STATE": state("interrupted"), "REQUEUE_CODE": "1", "JOB_STATE": "PENDING", "RESTARTS": "1"}
    process = start(repository, {**slurm, "PREFLIGHT": "0", **faster})
    assert "could not" not in process.communicate()[1]
    assert process.returncode == 0
    assert (tmp_path / "submit" / ".pretrain-4711").is_symlink()


@pytest.mark.parametrize("refused", [2, 99])
def test_a_time_that_slurm_refuses_for_a_moment_is_given_again(
    repository: Path, slurm: dict[str, str], refused: int
) -> None:
    environment = {**slurm, "PREFLIGHT": "0", "STATE": state("interrupted"), "REFUSED": str(refused)}
    process = start(repository, environment)
    said = process.communicate()[1]
    assert process.returncode == 0
    assert ("not available; the job starts again as soon as it can" in said) == (refused == 99)
    assert Path(slurm["CALLS"]).read_text().splitlines()[2:] == [LATER] * (2 if refused == 2 else 10)
