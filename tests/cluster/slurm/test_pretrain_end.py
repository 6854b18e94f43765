"""`pretrain.sbatch` at its end: what becomes of the job, by the run's own word."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pretraining.run.health.stop import SIGNALS, TIME_IS_UP, wish_named
from tests.cluster.slurm.conftest import LATER, run, start, state

REQUEUED = "requeued"
# What stood in state.json before, what this start wrote there, srun's code; what the script does.
ENDS = [
    *((None, "finished", code, 0) for code in (0, 1, 75, 137)),
    *((None, "stopped", code, 0) for code in (0, 143)),
    *((None, "failed", code, 2) for code in (0, 2, 75, 137, 143)),
    (None, "failed", 1, 1),
    *((None, "interrupted", code, REQUEUED) for code in (0, 1, 2, 75, 137, 143)),
    *((None, "running", code, REQUEUED) for code in (0, 1, 2, 75, 137, 143)),
    *((None, nonsense, 137, REQUEUED) for nonsense in ("{", "fnord")),
    ("failed", "finished", 137, 0),
    ("finished", "failed", 143, 2),
    ("finished", "interrupted", 143, REQUEUED),
    # Only an earlier start wrote: as `running`, but for a mistake in a new submission.
    *((before, None, code, REQUEUED) for before in ("finished", "failed", "running") for code in (0, 1, 75, 137)),
    *((before, None, 2, 2) for before in ("finished", "failed", "running", "interrupted")),
    # Nobody ever wrote: srun's code, unless the ranks were killed.
    *((None, None, code, code) for code in (0, 1, 2)),
    *((None, None, code, REQUEUED) for code in (75, 137, 143)),
]


@pytest.mark.parametrize(("before", "written", "srun_code", "expected"), ENDS)
def test_the_runs_own_word_decides_what_becomes_of_the_job(
    repository: Path,
    slurm: dict[str, str],
    tmp_path: Path,
    before: str | None,
    written: str | None,
    srun_code: int,
    expected: int | str,
) -> None:
    if before is not None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "state.json").write_text(state(before, start="4710.0") + "\n")
    text = "" if written is None else state(written)
    environment = {**slurm, "PREFLIGHT": "0", "STATE": text, "SRUN_CODE": str(srun_code)}
    code, calls = run(repository, environment, "pretrain.sbatch")
    requeues = tmp_path / "run" / "jobs" / "4711" / "requeues"
    if expected == REQUEUED:
        assert (code, calls[1:]) == (0, ["scontrol requeue 4711", LATER])
        assert requeues.read_text() == ("null\n" if written in (None, "{") and before is None else "40\n")
    else:
        assert (code, calls[1:]) == (expected, [])
        assert not requeues.exists()


def test_a_mistake_after_a_requeue_may_be_a_lock_of_a_lost_node(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.json").write_text(state("running"))
    environment = {**slurm, "PREFLIGHT": "0", "SRUN_CODE": "2", "SLURM_RESTART_COUNT": "1"}
    assert run(repository, environment, "pretrain.sbatch")[1][1:] == ["scontrol requeue 4711", LATER]


def test_a_second_job_in_the_folder_of_one_that_runs_is_not_requeued(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    """Its ranks are refused with code 2 while the other's write their own state."""
    other = {"STATE": state("running", start="4710.0"), "SRUN_CODE": "2"}
    assert run(repository, {**slurm, "PREFLIGHT": "0", **other}, "pretrain.sbatch")[0] == 2
    assert "requeue" not in Path(slurm["CALLS"]).read_text()


@pytest.mark.parametrize(
    ("reason", "delayed"),
    [*((wish_named(wish), False) for wish in (*SIGNALS, TIME_IS_UP)), ("rank 1 on n2 ended without a word", True)],
)
def test_only_after_a_failure_does_a_job_wait(
    repository: Path, slurm: dict[str, str], reason: str, delayed: bool
) -> None:
    environment = {**slurm, "PREFLIGHT": "0", "STATE": state("interrupted", reason=reason), "SRUN_CODE": "75"}
    calls = run(repository, environment, "pretrain.sbatch")[1]
    assert calls[1:] == ["scontrol requeue 4711", *([LATER] if delayed else [])]


@pytest.mark.parametrize("written", ["interrupted", "finished", "failed", "stopped"])
def test_an_srun_that_hangs_after_the_run_is_over_is_killed(
    repository: Path, slurm: dict[str, str], tmp_path: Path, written: str
) -> None:
    environment = {**slurm, "PREFLIGHT": "0", "STATE": state(written), "SRUN_TAKES": "1000", "SRUN_SECONDS": "1"}
    code, calls = run(repository, environment, "pretrain.sbatch")
    assert code == (2 if written == "failed" else 0)
    assert calls[1:] == (["scontrol requeue 4711", LATER] if written == "interrupted" else [])
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "srun.pid").read_text()), 0)


@pytest.mark.parametrize(("before", "written"), [(None, "running"), ("finished", None), (None, None)])
def test_an_srun_whose_run_goes_on_is_left_alone(
    repository: Path, slurm: dict[str, str], tmp_path: Path, before: str | None, written: str | None
) -> None:
    """SRUN_SECONDS are over long before srun ends, which then has the word: 0 of the stand-in."""
    if before is not None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "state.json").write_text(state(before, start="4710.0"))
    text = "" if written is None else state(written)
    environment = {**slurm, "PREFLIGHT": "0", "STATE": text, "SRUN_TAKES": "2", "SRUN_SECONDS": "0"}
    process = start(repository, environment)
    said = "".join(process.communicate())
    assert process.returncode == 0
    assert "killed" not in said
    assert before == written or "ended without a word (exit code 0): back into the queue" in said


@pytest.mark.parametrize(("written", "requeued"), [(None, True), ("running", True), ("finished", False)])
def test_out_of_time_is_handed_on_and_requeued_unless_finished(
    repository: Path, slurm: dict[str, str], tmp_path: Path, written: str | None, requeued: bool
) -> None:
    text = "" if written is None else state(written)
    process = start(repository, {**slurm, "PREFLIGHT": "0", "STATE": text, "SRUN_TAKES": "1000"})
    pid = tmp_path / "srun.pid"
    while process.poll() is None and not (pid.exists() and pid.read_text()):
        time.sleep(0.01)
    process.send_signal(signal.SIGUSR1)
    said = process.communicate()
    assert process.returncode == 0, said
    assert ("scontrol requeue 4711" in Path(slurm["CALLS"]).read_text()) == requeued


def test_the_log_of_the_job_shows_rank_0_and_the_errors_of_others(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    logs = tmp_path / "run" / "jobs" / "4711" / "start0"
    logs.mkdir(parents=True)
    (logs / "rank0.log").write_text("step 1\nerror: of rank 0\n")
    (logs / "rank1.log").write_text("quiet\n")
    (logs / "rank2.log").write_text("error on rank 2: no memory\n")
    process = start(repository, {**slurm, "PREFLIGHT": "0", "STATE": state("failed"), "SRUN_CODE": "2"})
    out, errors = process.communicate()
    assert out == "step 1\nerror: of rank 0\n"
    assert errors == f"{logs}/rank2.log:\nerror on rank 2: no memory\n"


@pytest.mark.parametrize(("restarts", "kept"), [("0", False), ("1", True)])
def test_a_job_that_is_cancelled_leaves_no_link_and_one_that_is_requeued_does(
    repository: Path, slurm: dict[str, str], tmp_path: Path, restarts: str, kept: bool
) -> None:
    """Both end the script by SIGTERM."""
    ends = {"SRUN_TAKES": "5", "JOB_STATE": "COMPLETING", "RESTARTS": restarts}
    process = start(repository, {**slurm, "PREFLIGHT": "0", **ends})
    pid = tmp_path / "srun.pid"
    while process.poll() is None and not (pid.exists() and pid.read_text()):
        time.sleep(0.01)
    link = tmp_path / "submit" / ".pretrain-4711"
    assert link.is_symlink()
    process.terminate()
    process.communicate()
    assert link.is_symlink() == kept
    with suppress(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGKILL)
