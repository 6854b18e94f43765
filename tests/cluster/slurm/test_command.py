"""`command.sbatch` with stand-ins for Slurm's commands: one command, its exit code, and a file where it is done."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def job(tmp_path: Path, repository: Path) -> dict[str, str]:
    """An environment as inside a job, in which srun runs what it is given and scontrol only writes down its call."""
    for name, body in {"srun": 'while [[ $1 == --* ]]; do shift; done; "$@"', "scontrol": "exit 0"}.items():
        (tmp_path / name).write_text(f'#!/bin/bash\necho {name} "$@" >> {tmp_path}/calls\n{body}\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to("/bin/true")
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_ID": "4711",
        "CODE_FOLDER": str(repository),
        "VIRTUAL_ENV_FOLDER": str(tmp_path / "venv"),
        "DONE_FILE": "done/it is",
        "DONE_MARK": "a mark",
    }


def run(repository: Path, job: dict[str, str], *command: str) -> "subprocess.CompletedProcess[str]":
    script = repository / "cluster" / "slurm" / "command.sbatch"
    return subprocess.run(["bash", script, *command], env=job, capture_output=True, text=True, check=False)


def test_a_command_that_ends_well_is_marked_as_done(repository: Path, job: dict[str, str], tmp_path: Path) -> None:
    said = run(repository, job, "bash", "-c", 'echo "$1"; pwd', "x", "two words")
    assert (said.returncode, said.stdout) == (0, f"two words\n{tmp_path}\n"), said.stderr
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["it is"]
    assert (tmp_path / "done" / "it is").read_text() == "a mark\n"


def test_without_a_file_nothing_is_marked(repository: Path, job: dict[str, str], tmp_path: Path) -> None:
    del job["DONE_FILE"], job["DONE_MARK"]
    before = sorted(path.name for path in tmp_path.iterdir())
    assert run(repository, job, "true").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "calls"])


@pytest.mark.parametrize("code", [1, 2, 137])
def test_a_command_that_fails_ends_the_job_with_its_code(
    repository: Path, job: dict[str, str], tmp_path: Path, code: int
) -> None:
    assert run(repository, job, "bash", "-c", f"exit {code}").returncode == code
    assert not (tmp_path / "done").exists()
    assert "scontrol" not in (tmp_path / "calls").read_text()


def test_an_interrupted_command_comes_back_three_times(repository: Path, job: dict[str, str], tmp_path: Path) -> None:
    results = [run(repository, job, "bash", "-c", "exit 75").returncode for _ in range(4)]
    assert results == [0, 0, 0, 75]
    assert (tmp_path / "calls").read_text().count("scontrol requeue 4711") == 3
    assert not (tmp_path / "done" / "it is").exists()


def test_no_command_is_one_sentence(repository: Path, job: dict[str, str]) -> None:
    said = run(repository, job)
    assert said.returncode == 2
    assert said.stderr.startswith("command.sbatch: no command; give it behind the script")
