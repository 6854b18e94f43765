"""preprocess.sbatch with stand-ins for Slurm's commands: what is started, and what becomes of the job.

On a real Slurm it is run by `tests/slurm/test_preprocess.py`.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROGRESS = '{"phase": "extract", "done": 3, "total": 9, "unit": "splits", "seconds_left": 5.0, "updated": 1.5}'
REQUEUE = "scontrol requeue 4711"


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment as inside a job of one node, in a folder of its own, where Slurm's commands write down their call.

    The pipeline's srun writes PROGRESS, if that is set, takes SRUN_TAKES seconds, and ends with SRUN_CODE.
    """
    commands, submitted = tmp_path / "bin", tmp_path / "sub mitted"
    for folder in (commands, submitted):
        folder.mkdir()
    answers = {
        "srun": """
            [[ "$*" == *dask_workers* ]] && exit ${WORKERS_CODE:-0}
            [[ -z "${PROGRESS:-}" ]] || echo "$PROGRESS" > "$PREPROCESSING_PROGRESS_FILE"
            [[ -z "${SRUN_TAKES:-}" ]] || { trap 'kill $!; exit 130' TERM; sleep "$SRUN_TAKES" & wait; }
            exit ${SRUN_CODE:-0}""",
        "scontrol": "[[ $1 != show ]] || printf 'n1\\nn2\\n'",
        "python": """
            folder="$3/code-0123"; mkdir -p "$folder/cluster"
            cp -r "$REPOSITORY/cluster/slurm" "$folder/cluster"; echo "$folder" """,
    }
    for name, answer in answers.items():
        script = commands / name
        script.write_text(f'#!/bin/bash\necho {name} "$@" >> {tmp_path}/calls\n{answer}\n')
        script.chmod(0o755)
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "bin").symlink_to(commands)
    repository = Path(__file__).resolve().parents[3]
    (submitted / "cluster").symlink_to(repository / "cluster")
    return {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "REPOSITORY": str(repository),
        "SLURM_SUBMIT_DIR": str(submitted),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURMD_NODENAME": "n1",
        "SLURM_CPUS_PER_TASK": "4",
        "VIRTUAL_ENV_FOLDER": str(tmp_path / "venv"),
        "SECONDS_TO_LEAVE": "1",
    }


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    script = Path(environment["REPOSITORY"]) / "cluster" / "slurm" / "preprocess.sbatch"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(["bash", script, *arguments], env=environment, text=True, **pipes)


def run(environment: dict[str, str], *arguments: str) -> tuple[int, str, list[str]]:
    """The exit code, what was said, and the calls but that of the snapshot."""
    process = start(environment, *arguments)
    said, _ = process.communicate(timeout=60)
    calls = Path(environment["SLURM_SUBMIT_DIR"]).with_name("calls").read_text().splitlines()
    return process.returncode, said, [call for call in calls if "cluster.snapshot" not in call]


def test_one_node_uses_its_cores(slurm: dict[str, str]) -> None:
    code, said, calls = run(slurm, "--output", "x y")
    folder = f"{slurm['SLURM_SUBMIT_DIR']}/.preprocess-4711"
    pipeline = f"python -m cluster.beam run {folder}/code-0123/preprocessing/pipeline.py"
    [call] = calls
    assert call.startswith("srun --cpu-bind=cores --nodes=1 --ntasks=1 bash -c ")
    assert call.endswith(f"{folder}/process {pipeline} --engine local --workers 4 --output x y")
    assert (code, said) == (0, "")
    assert not Path(folder).exists()


def test_several_nodes_get_a_dask_of_their_own(slurm: dict[str, str]) -> None:
    variables = {"SLURM_JOB_NUM_NODES": "2", "DASK_INTERFACE": "ib0", "PIPELINE": "preprocessing/vocabulary.py"}
    code, said, calls = run({**slurm, **variables}, "--output", "x y")
    assert (code, said) == (0, "")
    sruns = [call for call in calls if call.startswith("srun")]
    [driver] = [call for call in sruns if "dask_driver" in call]
    workers = sorted(call for call in sruns if "dask_workers" in call)
    assert len(sruns) == 3
    meeting = driver.split("--meeting ")[1].split(" --interface")[0]
    assert "/.preprocess-4711/dask-" in meeting
    assert "--nodelist=n1 bash -c" in driver
    assert "/process python -m cluster.engines.dask_driver" in driver
    assert driver.endswith(
        f"--interface ib0 -- python -m cluster.beam run {slurm['SLURM_SUBMIT_DIR']}/.preprocess-4711/code-0123/"
        f"preprocessing/vocabulary.py --engine dask --dask_scheduler_file {meeting}/scheduler.json --output x y"
    )
    for node, call in zip(("n1", "n2"), workers, strict=True):
        assert f"--nodelist={node} python -m cluster.engines.dask_workers --meeting {meeting} --workers 4" in call
    assert all("--overlap --nodes=1 --ntasks=1" in call for call in sruns)
    _, _, later = run({**slurm, **variables, "SLURM_RESTART_COUNT": "1"})
    assert meeting not in later[-1], "no folder is used twice"


def test_a_job_keeps_the_code_that_it_began_with(slurm: dict[str, str]) -> None:
    _, _, calls = run({**slurm, "SRUN_CODE": "75"})
    assert "code-0123/preprocessing" in calls[0]
    slurm["SLURM_RESTART_COUNT"] = "1"
    _, _, calls = run(slurm)
    assert "code-0123/preprocessing" in calls[-1]
    assert Path(slurm["SLURM_SUBMIT_DIR"]).with_name("calls").read_text().count("cluster.snapshot") == 1


def test_code_that_is_named_is_not_copied(slurm: dict[str, str]) -> None:
    slurm["CODE_FOLDER"] = slurm["REPOSITORY"]
    _, _, calls = run(slurm)
    assert f"run {slurm['REPOSITORY']}/preprocessing/pipeline.py" in calls[0]
    assert "snapshot" not in Path(slurm["SLURM_SUBMIT_DIR"]).with_name("calls").read_text()


# srun's code, and whether the job is requeued, or ends with which code.
ENDS = [(0, 0), (1, 1), (2, 2), (75, "later"), (130, "at once"), (137, "later"), (139, "later"), (143, "at once")]


@pytest.mark.parametrize(("srun_code", "expected"), ENDS)
def test_the_exit_code_decides(slurm: dict[str, str], srun_code: int, expected: int | str) -> None:
    code, said, calls = run({**slurm, "SRUN_CODE": str(srun_code), "PROGRESS": PROGRESS})
    folder = Path(slurm["SLURM_SUBMIT_DIR"]) / ".preprocess-4711"
    if isinstance(expected, int):
        assert (code, len(calls)) == (expected, 1)
        assert not folder.exists()
    else:
        assert (code, calls[1]) == (0, REQUEUE)
        assert ("StartTime" in calls[-1]) == (expected == "later")
        assert (folder / "requeues").read_text() == "extract 3\n"
        assert "back into the queue" in said


def test_a_job_that_gets_no_further_ends(slurm: dict[str, str]) -> None:
    slurm |= {"SRUN_CODE": "75", "PROGRESS": PROGRESS}
    for restart in ({}, {"SLURM_RESTART_COUNT": "1"}, {"SLURM_RESTART_COUNT": "2"}):
        assert run({**slurm, **restart})[0] == 0
    code, said, calls = run({**slurm, "SLURM_RESTART_COUNT": "3"})
    assert code == 75
    assert "after three requeues the work still stands at 'extract 3'" in said
    assert calls.count(REQUEUE) == 3
    further = PROGRESS.replace('"done": 3', '"done": 4')
    assert run({**slurm, "SLURM_RESTART_COUNT": "3", "PROGRESS": further})[0] == 0


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_out_of_time_the_pipeline_is_ended_and_the_job_requeued(slurm: dict[str, str], nodes: str) -> None:
    process = start({**slurm, "SLURM_JOB_NUM_NODES": nodes, "SRUN_TAKES": "100"})
    calls, deadline = Path(slurm["SLURM_SUBMIT_DIR"]).with_name("calls"), time.monotonic() + 30
    while not calls.exists() or "cluster.beam" not in calls.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)  # until the stand-in has its trap
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert calls.read_text().splitlines()[-1] == REQUEUE, "at once"


def test_a_node_without_workers_ends_nothing(slurm: dict[str, str]) -> None:
    code, _, calls = run({**slurm, "SLURM_JOB_NUM_NODES": "2", "WORKERS_CODE": "1"})
    assert code == 0
    assert REQUEUE not in calls
