"""`finetune.sbatch`: a sweep in one job, or a run as a task of an array, and which of these come back."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.slurm.conftest import run


def test_fine_tuning_alone_or_as_a_task_of_an_array(repository: Path, slurm: dict[str, str]) -> None:
    sweep = "srun --cpu-bind=cores python -m finetuning.sweep --config sweep.toml"
    code, calls = run(repository, slurm, "finetune.sbatch", "--config", "sweep.toml")
    assert (code, calls) == (0, [sweep])
    code, calls = run(repository, slurm | TASK, "finetune.sbatch", "--config", "sweep.toml")
    assert (code, calls[-1]) == (0, f"{sweep} --array-index 3")


TASK = {"SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "3"}
PROGRESS = """#!/bin/bash
[[ "$*" == *--progress && -n "$LOGS" ]] || exit 0
printf '%s\\n' "$LOGS" "0 results, 40 saved steps" "${WORD:-}"
"""


@pytest.fixture
def sweeping(slurm: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A task of an array whose Python says how far it is."""
    (tmp_path / "venv" / "bin" / "python").write_text(PROGRESS)
    return {**slurm, **TASK, "LOGS": f"{tmp_path}/lo gs"}


def test_a_task_that_nothing_is_wrong_with_goes_back_later_and_later_and_not_for_ever(
    repository: Path, sweeping: dict[str, str], tmp_path: Path
) -> None:
    """By its own name: the number of one of the tasks is the array's, and would bring all of them back."""
    codes = []
    for _ in range(4):
        code, calls = run(repository, {**sweeping, "SRUN_CODE": "75"}, "finetune.sbatch", "--plan", "p")
        codes.append(code)
    assert codes == [0, 0, 0, 75]
    waits = [call for call in calls if call.startswith("scontrol")]
    expected = [
        ("scontrol requeue 4700_3", f"scontrol update JobId=4700_3 StartTime=now+{n}seconds") for n in (60, 300, 1500)
    ]
    assert waits == [call for pair in expected for call in pair]
    assert (tmp_path / "lo gs" / "requeues").read_text() == "job 4700_3: 0 results, 40 saved steps\n" * 3
    code, _ = run(repository, {**sweeping, "SRUN_CODE": "75", "SLURM_ARRAY_JOB_ID": "4800"}, "finetune.sbatch")
    assert code == 0, "requeues count from a submission on"


def test_a_task_that_was_preempted_goes_back_at_once(repository: Path, sweeping: dict[str, str]) -> None:
    _, calls = run(repository, {**sweeping, "SRUN_CODE": "75", "WORD": "interrupted"}, "finetune.sbatch", "--plan", "p")
    assert calls[1:] == ["scontrol requeue 4700_3"]


def test_where_the_sweep_cannot_be_asked_how_far_it_is_starts_are_counted(
    repository: Path, sweeping: dict[str, str], tmp_path: Path
) -> None:
    environment = {**sweeping, "SRUN_CODE": "75", "LOGS": "", "SLURM_SUBMIT_DIR": str(tmp_path)}
    environment["CODE_FOLDER"] = str(repository)
    codes = [run(repository, environment, "finetune.sbatch")[0] for _ in range(4)]
    assert codes == [0, 0, 0, 75]
    assert (tmp_path / ".requeues-4700_3").read_text() == "job 4700_3: unknown\n" * 3


@pytest.mark.parametrize("code", ["1", "2", "137", "139", "143"])
def test_a_task_that_failed_does_not_come_back(repository: Path, sweeping: dict[str, str], code: str) -> None:
    ended, calls = run(repository, {**sweeping, "SRUN_CODE": code}, "finetune.sbatch", "--plan", "p")
    assert ended == int(code)
    assert not [call for call in calls if call.startswith("scontrol")]


@pytest.mark.parametrize("script", ["finetune.sbatch"])
def test_a_task_that_is_out_of_time_goes_back_at_once(
    repository: Path, sweeping: dict[str, str], tmp_path: Path, script: str
) -> None:
    command = ["bash", repository / "cluster" / "slurm" / script, "--plan", "p"]
    environment = {**sweeping, "SRUN_TAKES": "1000"}
    process = subprocess.Popen(
        command, env=environment, text=True, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    pid = tmp_path / "srun.pid"
    while process.poll() is None and not (pid.exists() and pid.read_text()):
        time.sleep(0.01)
    process.send_signal(signal.SIGUSR1)  # the stand-in for srun dies of what is handed on
    said = process.communicate()
    assert process.returncode == 0, said
    calls = [call for call in Path(sweeping["CALLS"]).read_text().splitlines() if call.startswith("scontrol")]
    assert calls == ["scontrol requeue 4700_3"]
    assert "out of time: back into the queue" in said[0]


@pytest.mark.parametrize(
    ("gpus", "cores", "code"), [("8", "8", 2), ("2", "3", 2), ("2", "4", 0), ("1", "1", 0), ("", "1", 0)]
)
def test_gpus_that_would_starve_are_refused(
    repository: Path, slurm: dict[str, str], gpus: str, cores: str, code: int
) -> None:
    given = {"SLURM_GPUS_ON_NODE": gpus, "SLURM_CPUS_ON_NODE": cores}
    assert run(repository, {**slurm, **given}, "finetune.sbatch", "--config", "c")[0] == code
