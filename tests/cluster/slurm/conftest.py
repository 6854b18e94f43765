"""Stand-ins for Slurm's commands, which write down how they were called: what would be started, by which words.

That a real Slurm takes the scripts is shown by `tests/slurm/`.
"""

import os
import subprocess
from pathlib import Path

import pytest

from pretraining.run.trainer_state import dump

PLACED = "srun --cpu-bind=cores --nodes=2 --ntasks-per-node=8"


@pytest.fixture
def slurm(tmp_path: Path, repository: Path) -> dict[str, str]:
    """An environment as inside a job of two nodes, where srun, sbatch and scontrol only write down their call.

    The srun that trains first writes STATE into the run's state.json, if that is set, and takes SRUN_TAKES seconds.
    sbatch was called in `submit`, a copy of the code is called `snapshot`.
    """
    for name in ("submit", "snapshot"):
        (tmp_path / name).mkdir()
        for stage in ("preprocessing", "pretraining", "finetuning", "cluster"):
            (tmp_path / name / stage).symlink_to(repository / stage)
    (tmp_path / "submit" / "recipe.toml").write_text("# a recipe\n")
    commands = tmp_path / "bin"
    commands.mkdir()
    calls = tmp_path / "calls"
    srun = f"""
        if [[ "$*" == *cluster.preflight* ]]; then
            [[ -z "${{PREFLIGHT_TAKES:-}}" ]] || exec sleep "$PREFLIGHT_TAKES"
            exit "${{PREFLIGHT_CODE:-0}}"
        fi
        [[ -z "${{STATE:-}}" ]] || {{ mkdir -p run; echo "$STATE" > run/new; mv run/new run/state.json; }}
        [[ -z "${{SRUN_TAKES:-}}" ]] || {{ echo $$ > {tmp_path}/srun.pid; exec sleep $SRUN_TAKES; }}
        exit ${{SRUN_CODE:-0}}""".replace(" run", f" {tmp_path}/run")
    scontrol = """
        [[ $1 == requeue ]] && exit ${REQUEUE_CODE:-0}
        if [[ $1 == update ]] && ((${REFUSED:-0} > $(grep -c update "$CALLS"))); then echo not available >&2; exit 1; fi
        if [[ "$*" == *"show job"* ]]; then
            echo "JobId=4711 JobState=${JOB_STATE:-RUNNING} Reason=None Restarts=${RESTARTS:-0} BatchFlag=1"
        fi
        if [[ "$*" == *hostnames* ]]; then echo n1; echo n2; fi"""
    answers = {"srun": srun, "sbatch": f"echo $(wc -l < {calls})", "scontrol": scontrol}
    for name, answer in answers.items():
        script = commands / name
        # What only asks changes nothing, and is not written down.
        script.write_text(f'#!/bin/bash\n[[ $* == *show* ]] || echo {name} "$@" >> {calls}\n{answer}\n')
        script.chmod(0o755)
    venv = tmp_path / "venv" / "bin"
    venv.mkdir(parents=True)
    folders = f'[[ "$2" != cluster.run_folder ]] || printf "%b\\\\n" "${{FOLDERS:-{tmp_path}/run}}"'
    snapshot = f'[[ "$2" != cluster.snapshot ]] || {{ mkdir -p "$3"; echo {tmp_path}/snapshot; }}'
    nodes = '[[ "$2" != cluster.fitting_nodes ]] || echo "${FITTING:-2}"'
    (venv / "python").write_text(f"#!/bin/bash\n{folders}\n{snapshot}\n{nodes}\n")
    (venv / "python").chmod(0o755)
    return {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "SLURM_SUBMIT_DIR": str(tmp_path / "submit"),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "4",
        "SLURM_GPUS_ON_NODE": "8",
        "VIRTUAL_ENV_FOLDER": str(tmp_path / "venv"),
        "CALLS": str(calls),
        "LOOK_SECONDS": "0.05",
    }


def run(repository: Path, environment: dict[str, str], script: str, *arguments: str) -> tuple[int, list[str]]:
    command = ["bash", repository / "cluster" / "slurm" / script, *arguments]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=repository)
    calls = Path(environment["CALLS"])
    return process.returncode, calls.read_text().splitlines() if calls.exists() else []


def start(repository: Path, environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """pretrain.sbatch; what it says is captured."""
    command = ["bash", repository / "cluster" / "slurm" / "pretrain.sbatch", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, text=True, cwd=repository, **pipes)


def state(status: str, saved_step: int | None = 40, reason: str | None = None, start: str = "4711.0") -> str:
    """A state.json as the run writes it, with a reason that looks like other fields; `{` stands for a broken one."""
    if status == "{":
        return status
    reason = reason or 'it said "status": "finished" and "saved_step": 7 and "start": "4711.0"'
    contents = {"reason": reason, "saved_step": saved_step, "signal": None, "status": status, "step": 43, "steps": 99}
    return dump({**contents, "start": start}).rstrip("\n")


LATER = "scontrol update JobId=4711 StartTime=now+60seconds"
