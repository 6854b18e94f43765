"""`environment.sh`: the Python, the code and the variables that all tasks of a job have."""

import subprocess
from pathlib import Path

import pytest

from tests.cluster.slurm.conftest import run, start


@pytest.mark.parametrize(("rank", "kept"), [({}, True), ({"RANK": "3"}, False), ({"WORLD_SIZE": "4"}, False)])
def test_a_rank_that_submits_does_not_make_ranks(
    repository: Path, slurm: dict[str, str], rank: dict[str, str], kept: bool
) -> None:
    """Torch-style variables win over Slurm's, so every task would take itself for the rank that called sbatch."""
    script = 'source cluster/slurm/environment.sh; echo "${RANK:-}${WORLD_SIZE:-}${LOCAL_RANK:-}-${MASTER_ADDR:-}"'
    environment = {**slurm, "MASTER_ADDR": "there", **rank}
    said = subprocess.check_output(["bash", "-c", script], env=environment, text=True, cwd=repository)
    assert said == ("-there\n" if kept else "-\n")


def test_every_task_runs_in_the_container_that_is_given(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    """Its Python is that of the image: no virtual environment is asked for."""
    apptainer = tmp_path / "bin" / "apptainer"
    apptainer.write_text(f'#!/bin/bash\n[[ $1 == exec ]] || exit 9\nPATH={tmp_path}/venv/bin:$PATH exec "${{@:4}}"\n')
    apptainer.chmod(0o755)
    inside = {"CONTAINER": "bert.sif", "VIRTUAL_ENV_FOLDER": "/none", "PREFLIGHT": "0"}
    inside |= {"SRUN_OPTIONS": "--mem-bind=local --mpi=none"}
    code, calls = run(repository, {**slurm, **inside}, "pretrain.sbatch")
    assert code == 0
    log = f"--output={tmp_path}/run/jobs/4711/start0/rank%t.log"
    placed = (
        f"srun --cpu-bind=cores --mem-bind=local --mpi=none --nodes=2 --ntasks-per-node=8 --kill-on-bad-exit=1 {log}"
    )
    assert calls == [f"{placed} apptainer exec --nv bert.sif python {tmp_path}/snapshot/pretraining/main.py"]
    apptainer.unlink()
    process = start(repository, {**slurm, **inside})
    assert "CONTAINER is bert.sif and there is no `apptainer`" in process.communicate()[1]
    assert process.returncode == 2


def test_what_all_tasks_of_a_job_agree_on(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    """As many cores a task as the job asked for: srun does not take them from the job. And all of the environment."""
    names = ("SRUN_CPUS_PER_TASK", "OMP_NUM_THREADS", "SLURM_EXPORT_ENV", "PYTHONSAFEPATH", "PYTHONPATH")
    script = f'source cluster/slurm/environment.sh; for n in {" ".join(names)}; do echo "$n=${{!n:-}}"; done'
    environment = {**slurm, "SLURM_EXPORT_ENV": "NONE", "PYTHONPATH": "/others", "CODE_FOLDER": "/code"}
    said = subprocess.check_output(["bash", "-c", script], env=environment, text=True, cwd=repository)
    expected = {"SRUN_CPUS_PER_TASK": "4", "OMP_NUM_THREADS": "4", "SLURM_EXPORT_ENV": "ALL"}
    expected |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": "/code:/others"}
    assert dict(line.split("=") for line in said.splitlines()) == expected


def test_a_missing_environment_is_said(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    code, calls = run(repository, {**slurm, "VIRTUAL_ENV_FOLDER": str(tmp_path / "none")}, "pretrain.sbatch")
    assert code == 2
    assert not any(call.startswith("srun") for call in calls)
