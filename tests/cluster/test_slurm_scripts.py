"""The Slurm scripts with stand-ins for Slurm's commands: what would be started, with which arguments and variables.

The stand-ins write down how they were called. That real Slurm accepts the scripts is not shown by these tests.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pretraining.run.trainer_state import dump

SCRIPTS = ("preprocess.sbatch", "pretrain.sbatch", "finetune.sbatch")
LONG_OPTIONS = {
    *("job-name", "nodes", "ntasks", "ntasks-per-node", "gpus", "gpus-per-node", "cpus-per-task", "mem"),
    *("exclusive", "time", "signal", "requeue", "output", "open-mode"),
}

RECIPE = """
[output]
folder = "{folder}"
[training]
steps = 2
batch_size = 8
micro_batch_size = 4
"""


@pytest.fixture
def slurm(tmp_path: Path, repository: Path) -> dict[str, str]:
    """An environment as inside a job of two nodes, where srun, sbatch and scontrol only write down their call.

    The srun that trains first writes STATE into the run's state.json, if that is set, and takes SRUN_TAKES seconds.
    """
    commands = tmp_path / "bin"
    commands.mkdir()
    calls = tmp_path / "calls"
    srun = f"""
        [[ "$*" == *cluster.preflight* ]] && exit ${{PREFLIGHT_CODE:-0}}
        [[ -z "${{STATE:-}}" ]] || {{ mkdir -p run; echo "$STATE" > run/new; mv run/new run/state.json; }}
        [[ -z "${{SRUN_TAKES:-}}" ]] || {{ echo $$ > {tmp_path}/srun.pid; exec sleep $SRUN_TAKES; }}
        exit ${{SRUN_CODE:-0}}""".replace(" run", f" {tmp_path}/run")
    scontrol = "[[ $1 == requeue ]] && exit ${REQUEUE_CODE:-0}; echo n1; echo n2"
    answers = {"srun": srun, "sbatch": f"echo $(wc -l < {calls})", "scontrol": scontrol}
    for name, answer in answers.items():
        script = commands / name
        script.write_text(f'#!/bin/bash\necho {name} "$@" >> {calls}\n{answer}\n')
        script.chmod(0o755)
    venv = tmp_path / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").write_text(
        f'#!/bin/bash\n[[ "$2" != cluster.run_folder ]] || printf "%b\\\\n" "${{FOLDERS:-{tmp_path}/run}}"\n'
    )
    (venv / "python").chmod(0o755)
    return {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "SLURM_SUBMIT_DIR": str(repository),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "4",
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


@pytest.mark.parametrize("script", [*SCRIPTS, "road.sh", "environment.sh", "requeue.sh"])
def test_bash_can_parse_it(repository: Path, script: str) -> None:
    subprocess.run(["bash", "-n", repository / "cluster" / "slurm" / script], check=True)


@pytest.mark.parametrize(("rank", "kept"), [({}, True), ({"RANK": "3"}, False), ({"WORLD_SIZE": "4"}, False)])
def test_a_rank_that_submits_does_not_make_ranks(
    repository: Path, slurm: dict[str, str], rank: dict[str, str], kept: bool
) -> None:
    """Torch-style variables win over Slurm's, so every task would take itself for the rank that called sbatch."""
    script = 'source cluster/slurm/environment.sh; echo "${RANK:-}${WORLD_SIZE:-}${LOCAL_RANK:-}-${MASTER_ADDR:-}"'
    environment = {**slurm, "MASTER_ADDR": "there", **rank}
    said = subprocess.check_output(["bash", "-c", script], env=environment, text=True, cwd=repository)
    assert said == ("-there\n" if kept else "-\n")


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
    assert calls[-1].endswith("--engine dask --dask_scheduler_file .dask-4711-0.json --output shards")
    assert "--kill-on-bad-exit=0" in calls[-1]
    _, calls = run(repository, {**slurm, "SLURM_RESTART_COUNT": "2"}, "preprocess.sbatch", "--output", "shards")
    assert calls[-1].count(".dask-4711-2.json") == 2, "not the address that a killed start left behind"


def test_pretraining_is_one_srun_after_that_of_the_preflight(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    code, calls = run(repository, slurm, "pretrain.sbatch", "--config", "recipe.toml")
    assert code == 0
    assert [call for call in calls if call.startswith("srun")] == [
        f"srun --kill-on-bad-exit=0 python -m cluster.preflight --output {tmp_path}/run",
        "srun --kill-on-bad-exit=1 python pretraining/main.py --config recipe.toml",
    ]


def test_the_preflight_looks_at_the_folders_of_the_run(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    options = {"FOLDERS": f"{tmp_path}/x y\\na\\nb", "PREFLIGHT_OPTIONS": "--memory-gib 60 --disk-gib 200"}
    _, calls = run(repository, {**slurm, **options}, "pretrain.sbatch", "--config", "recipe.toml")
    looked_at = f"--output {tmp_path}/x y --shards a --shards b --memory-gib 60 --disk-gib 200"
    assert calls[0] == f"srun --kill-on-bad-exit=0 python -m cluster.preflight {looked_at}"
    assert calls[-1].endswith("pretraining/main.py --config recipe.toml")


def test_the_folders_are_those_of_recipe_and_command_line(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(folder=tmp_path / "of recipe"))
    environment = {**slurm, "VIRTUAL_ENV_FOLDER": str(Path(sys.executable).parents[1])}
    _, calls = run(repository, environment, "pretrain.sbatch", f"--config={tmp_path}/recipe.toml", "--shards", "a,b")
    assert calls[0].endswith(f"cluster.preflight --output {tmp_path}/of recipe --shards a --shards b")


def test_a_bad_recipe_ends_the_job_before_anything_starts(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(folder=tmp_path / "run") + "stepps = 3\n")
    environment = {**slurm, "VIRTUAL_ENV_FOLDER": str(Path(sys.executable).parents[1])}
    process = start(repository, environment, f"--config={tmp_path}/recipe.toml")
    _, said = process.communicate()
    assert process.returncode == 2
    assert re.fullmatch(r"error: .*stepps.*\n", said)
    assert not Path(slurm["CALLS"]).exists()
    assert not (tmp_path / "run").exists()


def test_the_preflight_may_be_left_out(repository: Path, slurm: dict[str, str]) -> None:
    _, calls = run(repository, {**slurm, "PREFLIGHT": "0"}, "pretrain.sbatch", "--config", "recipe.toml")
    assert calls == ["srun --kill-on-bad-exit=1 python pretraining/main.py --config recipe.toml"]


@pytest.mark.parametrize("preflight_code", ["1", "2", "75", "137"])
def test_a_failed_preflight_starts_nothing_and_is_not_requeued(
    repository: Path, slurm: dict[str, str], tmp_path: Path, preflight_code: str
) -> None:
    code, calls = run(repository, {**slurm, "PREFLIGHT_CODE": preflight_code}, "pretrain.sbatch", "--config", "c")
    assert code == 2
    assert calls == [f"srun --kill-on-bad-exit=0 python -m cluster.preflight --output {tmp_path}/run"]


def test_a_preflight_that_was_interrupted_is_requeued(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(repository, {**slurm, "PREFLIGHT_CODE": "143"}, "pretrain.sbatch", "--config", "c")
    assert code == 0
    assert calls[1:] == ["scontrol requeue 4711"]


def state(status: str, saved_step: int | None = 40) -> str:
    """A state.json as the run writes it, with a reason that looks like other fields; `{` stands for a broken one."""
    if status == "{":
        return status
    reason = 'it said "status": "finished" and "saved_step": 7'
    contents = {"reason": reason, "saved_step": saved_step, "signal": None, "status": status, "step": 43, "steps": 99}
    return dump(contents).rstrip("\n")


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
    # Nobody ever wrote: srun's code.
    *((None, None, code, code) for code in (0, 1, 2, 137, 143)),
    (None, None, 75, REQUEUED),
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
        (tmp_path / "run" / "state.json").write_text(state(before) + "\n")
    text = "" if written is None else state(written)
    environment = {**slurm, "PREFLIGHT": "0", "STATE": text, "SRUN_CODE": str(srun_code)}
    code, calls = run(repository, environment, "pretrain.sbatch", "--config", "c")
    requeues = tmp_path / "run" / "requeues"
    if expected == REQUEUED:
        assert (code, calls[1:]) == (0, ["scontrol requeue 4711"])
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
    assert run(repository, environment, "pretrain.sbatch")[1][1:] == ["scontrol requeue 4711"]


@pytest.mark.parametrize("written", ["interrupted", "finished", "failed", "stopped"])
def test_an_srun_that_hangs_after_the_run_is_over_is_killed(
    repository: Path, slurm: dict[str, str], tmp_path: Path, written: str
) -> None:
    environment = {**slurm, "PREFLIGHT": "0", "STATE": state(written), "SRUN_TAKES": "1000", "SRUN_SECONDS": "1"}
    code, calls = run(repository, environment, "pretrain.sbatch")
    assert code == (2 if written == "failed" else 0)
    assert calls[1:] == (["scontrol requeue 4711"] if written == "interrupted" else [])
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "srun.pid").read_text()), 0)


@pytest.mark.parametrize(("before", "written"), [(None, "running"), ("finished", None), (None, None)])
def test_an_srun_whose_run_goes_on_is_left_alone(
    repository: Path, slurm: dict[str, str], tmp_path: Path, before: str | None, written: str | None
) -> None:
    """SRUN_SECONDS are over long before srun ends, which then has the word: 0 of the stand-in."""
    if before is not None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "state.json").write_text(state(before))
    text = "" if written is None else state(written)
    environment = {**slurm, "PREFLIGHT": "0", "STATE": text, "SRUN_TAKES": "2", "SRUN_SECONDS": "0"}
    process = start(repository, environment)
    said = "".join(process.communicate())
    assert process.returncode == 0
    assert "killed" not in said
    assert before == written or "ended without a word (exit code 0): back into the queue" in said


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
    requeues = tmp_path / "run" / "requeues"
    requeues.parent.mkdir()
    requeues.write_text(lines)
    restarted = {"SLURM_RESTART_COUNT": "3", "STATE": state(written, saved_step), "SRUN_CODE": "137"}
    process = start(repository, {**slurm, "PREFLIGHT": "0", **restarted})
    _, said = process.communicate()
    now = "null" if saved_step is None else str(saved_step)
    assert process.returncode == expected
    assert (f"is still at saved step {now}, so something else is wrong: not requeued." in said) == (expected == 75)
    assert requeues.read_text() == (lines if expected else f"{lines}{now}\n")
    assert ("scontrol requeue 4711" in Path(slurm["CALLS"]).read_text()) == (expected == 0)


def test_requeues_are_counted_from_a_submission_on(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    """Four ends at one step: the fourth is the last. Submitted again by hand, it is tried again."""
    environment = {**slurm, "PREFLIGHT": "0", "STATE": state("interrupted"), "SRUN_CODE": "75"}
    codes = [
        run(repository, {**environment, **({"SLURM_RESTART_COUNT": str(start)} if start else {})}, "pretrain.sbatch")[0]
        for start in (0, 1, 2, 3, 0)
    ]
    assert codes == [0, 0, 0, 75, 0]
    assert (tmp_path / "run" / "requeues").read_text() == "40\n"


def test_a_job_that_may_not_be_requeued_says_so(repository: Path, slurm: dict[str, str]) -> None:
    process = start(repository, {**slurm, "PREFLIGHT": "0", "STATE": state("interrupted"), "REQUEUE_CODE": "1"})
    assert "the job could not be requeued" in process.communicate()[1]
    assert process.returncode == 75


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
