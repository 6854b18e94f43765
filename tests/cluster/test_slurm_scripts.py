"""The Slurm scripts with stand-ins for Slurm's commands: what would be started, with which arguments and variables.

The stand-ins write down how they were called. That real Slurm accepts the scripts is not shown by these tests.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPTS = ("preprocess.sbatch", "pretrain.sbatch", "finetune.sbatch")
LONG_OPTIONS = {
    *("job-name", "nodes", "ntasks", "ntasks-per-node", "gpus", "gpus-per-node", "cpus-per-task", "mem"),
    *("exclusive", "time", "signal", "requeue", "output", "open-mode"),
}


@pytest.fixture
def slurm(tmp_path: Path, repository: Path) -> dict[str, str]:
    """An environment as inside a job of two nodes, where srun, sbatch and scontrol only write down their call."""
    commands = tmp_path / "bin"
    commands.mkdir()
    calls = tmp_path / "calls"
    srun = '[[ "$*" == *cluster.preflight* ]] && exit ${PREFLIGHT_CODE:-0}; exit ${SRUN_CODE:-0}'
    answers = {"srun": srun, "sbatch": f"echo $(wc -l < {calls})", "scontrol": "echo n1; echo n2"}
    for name, answer in answers.items():
        script = commands / name
        script.write_text(f'#!/bin/bash\necho {name} "$@" >> {calls}\n{answer}\n')
        script.chmod(0o755)
    venv = tmp_path / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to("/bin/true")
    return {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "SLURM_SUBMIT_DIR": str(repository),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "4",
        "VIRTUAL_ENV_FOLDER": str(tmp_path / "venv"),
        "CALLS": str(calls),
    }


def run(repository: Path, environment: dict[str, str], script: str, *arguments: str) -> tuple[int, list[str]]:
    command = ["bash", repository / "cluster" / "slurm" / script, *arguments]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=repository)
    calls = Path(environment["CALLS"])
    return process.returncode, calls.read_text().splitlines() if calls.exists() else []


@pytest.mark.parametrize("script", [*SCRIPTS, "road.sh", "environment.sh"])
def test_bash_can_parse_it(repository: Path, script: str) -> None:
    subprocess.run(["bash", "-n", repository / "cluster" / "slurm" / script], check=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_directives_are_options_of_sbatch(repository: Path, script: str) -> None:
    text = (repository / "cluster" / "slurm" / script).read_text()
    options = re.findall(r"^#SBATCH --([a-z-]+)", text, flags=re.MULTILINE)
    assert options
    assert set(options) <= LONG_OPTIONS
    # sbatch stops reading directives at the first command.
    assert text.rindex("#SBATCH") < text.index("set -euo pipefail")


def test_preprocessing_on_one_node_uses_its_cores(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(repository, {**slurm, "SLURM_JOB_NUM_NODES": "1"}, "preprocess.sbatch", "--output", "x y")
    assert code == 0
    assert calls[-1] == "srun beam run preprocessing/pipeline.py --engine local --workers 4 --output x y"


def test_preprocessing_on_several_nodes_brings_its_dask(repository: Path, slurm: dict[str, str]) -> None:
    _, calls = run(repository, slurm, "preprocess.sbatch", "--output", "shards")
    assert "cluster.engines.dask_nodes" in calls[-1]
    assert calls[-1].endswith("--engine dask --dask_scheduler_file .dask-4711.json --output shards")


def test_pretraining_is_one_srun_after_that_of_the_preflight(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(repository, slurm, "pretrain.sbatch", "--config", "recipe.toml")
    assert code == 0
    assert [call for call in calls if call.startswith("srun")] == [
        "srun --kill-on-bad-exit=0 python -m cluster.preflight",
        "srun --kill-on-bad-exit=1 python pretraining/main.py --config recipe.toml",
    ]


@pytest.mark.parametrize(
    ("arguments", "looked_at"),
    [
        (("--data.shards=a,b", "--output.folder=runs/x"), "--shards a,b --output runs/x"),
        (("--output.folder", "runs/x", "--config", "c", "--data.shards", "a"), "--output runs/x --shards a"),
        (("--shards=a", "--folder", "x"), "--shards a --output x"),
        (("--config", "--data.shards.toml"), ""),
    ],
)
def test_the_preflight_looks_at_the_folders_of_the_run(
    repository: Path, slurm: dict[str, str], arguments: tuple[str, ...], looked_at: str
) -> None:
    environment = {**slurm, "PREFLIGHT_OPTIONS": "--memory-gib 60 --disk-gib 200"}
    _, calls = run(repository, environment, "pretrain.sbatch", *arguments)
    words = f"srun --kill-on-bad-exit=0 python -m cluster.preflight {looked_at} --memory-gib 60 --disk-gib 200"
    assert " ".join(calls[0].split()) == " ".join(words.split())
    assert calls[-1].endswith(f"pretraining/main.py {' '.join(arguments)}")


def test_the_preflight_may_be_left_out(repository: Path, slurm: dict[str, str]) -> None:
    _, calls = run(repository, {**slurm, "PREFLIGHT": "0"}, "pretrain.sbatch", "--config", "recipe.toml")
    assert calls == ["srun --kill-on-bad-exit=1 python pretraining/main.py --config recipe.toml"]


@pytest.mark.parametrize("preflight_code", ["1", "2", "75", "137"])
def test_a_failed_preflight_starts_nothing_and_is_not_requeued(
    repository: Path, slurm: dict[str, str], preflight_code: str
) -> None:
    code, calls = run(repository, {**slurm, "PREFLIGHT_CODE": preflight_code}, "pretrain.sbatch", "--config", "c")
    assert code == 2
    assert calls == ["srun --kill-on-bad-exit=0 python -m cluster.preflight"]


def test_pretraining_that_was_interrupted_is_requeued(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(repository, {**slurm, "SRUN_CODE": "75"}, "pretrain.sbatch")
    assert code == 0
    assert calls[-1] == "scontrol requeue 4711"


def test_pretraining_that_failed_is_not_requeued(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(repository, {**slurm, "SRUN_CODE": "2"}, "pretrain.sbatch")
    assert code == 2
    assert not any("requeue" in call for call in calls)


def test_a_preflight_that_was_interrupted_is_requeued(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(repository, {**slurm, "PREFLIGHT_CODE": "143"}, "pretrain.sbatch", "--config", "c")
    assert code == 0
    assert calls[1:] == ["scontrol requeue 4711"]


def test_fine_tuning_alone_or_as_a_task_of_an_array(repository: Path, slurm: dict[str, str]) -> None:
    _, calls = run(repository, slurm, "finetune.sbatch", "--config", "sweep.toml")
    assert calls[-1] == "srun python -m finetuning.sweep --config sweep.toml"
    _, calls = run(repository, {**slurm, "SLURM_ARRAY_TASK_ID": "3"}, "finetune.sbatch", "--config", "sweep.toml")
    assert calls[-1] == "srun python -m finetuning.sweep --config sweep.toml --array-index 3"


def test_a_missing_environment_is_said(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    code, calls = run(repository, {**slurm, "VIRTUAL_ENV_FOLDER": str(tmp_path / "none")}, "pretrain.sbatch")
    assert code == 2
    assert not any(call.startswith("srun") for call in calls)


def test_the_chain_of_jobs_depends_link_by_link(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(
        repository, slurm, "road.sh", "--wikipedia", "d/*.bz2", "--vocab", "v.txt", "--output", "out", "--glue", "glue"
    )
    assert code == 0
    assert len(calls) == 4
    assert "--dependency" not in calls[0]
    for before, call in enumerate(calls[1:], 1):
        assert f"--dependency=afterok:{before}" in call
        assert "--kill-on-invalid-dep=yes" in call
    assert "--init.from=out/phase1/export" in calls[2]


def test_the_chain_refuses_what_it_does_not_know(repository: Path, slurm: dict[str, str]) -> None:
    assert run(repository, slurm, "road.sh", "--fnord", "1")[0] == 2
    assert run(repository, slurm, "road.sh", "--output", "out")[0] == 2
