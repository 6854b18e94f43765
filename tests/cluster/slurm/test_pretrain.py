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

from pretraining.run.health.stop import SIGNALS, TIME_IS_UP, wish_named
from pretraining.run.trainer_state import dump

SCRIPTS = ("preprocess.sbatch", "pretrain.sbatch", "finetune.sbatch", "command.sbatch")
LONG_OPTIONS = {
    *("job-name", "nodes", "ntasks", "ntasks-per-node", "gpus", "gpus-per-node", "cpus-per-task", "mem", "mem-per-cpu"),
    *("exclusive", "time", "signal", "requeue", "no-kill", "output", "open-mode"),
}

PLACED = "srun --cpu-bind=cores --nodes=2 --ntasks-per-node=8"
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
    scontrol = "[[ $1 == requeue ]] && exit ${REQUEUE_CODE:-0}; echo n1; echo n2"
    answers = {"srun": srun, "sbatch": f"echo $(wc -l < {calls})", "scontrol": scontrol}
    for name, answer in answers.items():
        script = commands / name
        script.write_text(f'#!/bin/bash\necho {name} "$@" >> {calls}\n{answer}\n')
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


@pytest.mark.parametrize("script", [*SCRIPTS, "environment.sh", "requeue.sh"])
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


def training_of(folder: Path, start: int = 0, *arguments: str, job: str = "4711") -> str:
    """The srun that trains, with the stand-ins' folder."""
    log = f"{folder}/run/jobs/{job}/start{start}/rank%t.log"
    script = f"{folder}/snapshot/pretraining/main.py"
    return " ".join((f"{PLACED} --kill-on-bad-exit=1 --output={log} python {script}", *arguments))


def test_pretraining_is_one_srun_after_that_of_the_preflight(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    code, calls = run(repository, slurm, "pretrain.sbatch", "--config", "recipe.toml")
    assert code == 0
    assert [call for call in calls if call.startswith("srun")] == [
        f"{PLACED} --kill-on-bad-exit=0 python -m cluster.preflight --output {tmp_path}/run",
        training_of(tmp_path, 0, f"--config {tmp_path}/run/jobs/4711/recipe.toml"),
    ]


def test_a_job_that_says_how_many_tasks_it_has_keeps_them(repository: Path, slurm: dict[str, str]) -> None:
    assert not re.search("--(nodes|ntasks)", run(repository, {**slurm, "SLURM_NTASKS": "6"}, "pretrain.sbatch")[1][0])


def test_a_job_leaves_nodes_out_among_which_its_batch_does_not_divide(repository: Path, slurm: dict[str, str]) -> None:
    _, calls = run(repository, {**slurm, "SLURM_JOB_NUM_NODES": "3", "FITTING": "1"}, "pretrain.sbatch")
    assert all("--nodes=1 --ntasks-per-node=8" in call for call in calls)


def test_the_preflight_looks_at_the_folders_of_the_run(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    options = {"FOLDERS": f"{tmp_path}/x y\\na\\nb", "PREFLIGHT_OPTIONS": "--memory-gib 60 --disk-gib 200"}
    _, calls = run(repository, {**slurm, **options}, "pretrain.sbatch", "--config=recipe.toml")
    looked_at = f"--output {tmp_path}/x y --shards a --shards b --memory-gib 60 --disk-gib 200"
    assert calls[0] == f"{PLACED} --kill-on-bad-exit=0 python -m cluster.preflight {looked_at}"
    assert calls[-1].endswith(f"pretraining/main.py --config={tmp_path}/x y/jobs/4711/recipe.toml")


def test_a_sign_of_per_cent_in_a_folder_is_none_of_srun(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    _, calls = run(repository, {**slurm, "FOLDERS": f"{tmp_path}/50%n", "PREFLIGHT": "0"}, "pretrain.sbatch")
    assert f"--output={tmp_path}/50%%n/jobs/4711/start0/rank%t.log" in calls[0]


def test_what_the_first_start_kept_is_used_by_every_later_one(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    """Whatever becomes of the checkout and the recipe; another submission takes what is there then."""
    environment = {**slurm, "PREFLIGHT": "0", "STATE": state("interrupted"), "SRUN_CODE": "75"}
    submit, kept = tmp_path / "submit", tmp_path / "run" / "jobs" / "4711"
    _, calls = run(repository, environment, "pretrain.sbatch", "--config", "recipe.toml")
    assert calls[0] == training_of(tmp_path, 0, f"--config {kept}/recipe.toml")
    for link in submit.iterdir():
        if link.is_symlink() and link.name != ".pretrain-4711":
            link.unlink()
    (submit / "recipe.toml").write_text("# edited since\n")
    restarted = {"SLURM_RESTART_COUNT": "1", "STATE": state("finished", start="4711.1"), "SRUN_CODE": "0"}
    code, calls = run(repository, {**environment, **restarted}, "pretrain.sbatch", "--config", "recipe.toml")
    assert (code, calls[-1]) == (0, training_of(tmp_path, 1, f"--config {kept}/recipe.toml"))
    assert (kept / "recipe.toml").read_text() == "# a recipe\n"
    assert not (submit / ".pretrain-4711").is_symlink(), "the job is over"
    (submit / "cluster").symlink_to(repository / "cluster")
    again = {**environment, "SLURM_JOB_ID": "4712", "SLURM_RESTART_COUNT": ""}
    run(repository, again, "pretrain.sbatch", "--config", "recipe.toml")
    assert (tmp_path / "run" / "jobs" / "4712" / "recipe.toml").read_text() == "# edited since\n"


def test_what_another_job_of_this_number_left_is_not_used(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    left = tmp_path / "elsewhere" / "jobs" / "4711"
    left.mkdir(parents=True)
    (left / "code").symlink_to(tmp_path / "none")
    (left / "recipe.toml").write_text("# of another\n")
    (tmp_path / "submit" / ".pretrain-4711").symlink_to(left)
    code, calls = run(repository, {**slurm, "PREFLIGHT": "0"}, "pretrain.sbatch", "--config", "recipe.toml")
    kept = tmp_path / "run" / "jobs" / "4711" / "recipe.toml"
    assert (code, calls) == (0, [training_of(tmp_path, 0, f"--config {kept}")])
    assert kept.read_text() == "# a recipe\n"


def test_code_that_is_given_is_not_copied_again(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "submit" / "cluster").unlink()
    given = {"CODE_FOLDER": str(tmp_path / "snapshot"), "PREFLIGHT": "0"}
    code, calls = run(repository, {**slurm, **given}, "pretrain.sbatch", "--config", "recipe.toml")
    assert code == 0
    assert calls == [training_of(tmp_path, 0, f"--config {tmp_path}/run/jobs/4711/recipe.toml")]
    assert not (tmp_path / "run" / "jobs" / "4711" / "code").exists()


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


def test_the_folders_are_those_of_recipe_and_command_line(
    repository: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(folder=tmp_path / "of recipe"))
    environment = {**slurm, "VIRTUAL_ENV_FOLDER": str(Path(sys.executable).parents[1]), "SLURM_GPUS_ON_NODE": "1"}
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


def test_the_preflight_may_be_left_out(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    _, calls = run(repository, {**slurm, "PREFLIGHT": "0"}, "pretrain.sbatch", "--config", "recipe.toml")
    assert calls == [training_of(tmp_path, 0, f"--config {tmp_path}/run/jobs/4711/recipe.toml")]


@pytest.mark.parametrize("preflight_code", ["1", "2", "75", "137"])
def test_a_failed_preflight_starts_nothing_and_is_not_requeued(
    repository: Path, slurm: dict[str, str], tmp_path: Path, preflight_code: str
) -> None:
    code, calls = run(repository, {**slurm, "PREFLIGHT_CODE": preflight_code}, "pretrain.sbatch")
    assert code == 2
    assert calls == [f"{PLACED} --kill-on-bad-exit=0 python -m cluster.preflight --output {tmp_path}/run"]


def test_a_preflight_that_was_interrupted_is_requeued(repository: Path, slurm: dict[str, str]) -> None:
    code, calls = run(repository, {**slurm, "PREFLIGHT_CODE": "143"}, "pretrain.sbatch")
    assert code == 0
    assert calls[1:] == ["scontrol requeue 4711"]


def test_a_preflight_that_hangs_is_killed_and_tried_again_later(repository: Path, slurm: dict[str, str]) -> None:
    """As srun does for ever, when a node crashed and came back before Slurm noticed."""
    hangs = {"PREFLIGHT_TAKES": "1000", "PREFLIGHT_SECONDS": "1"}
    process = start(repository, {**slurm, **hangs})
    assert "the preflight did not end within 1 seconds: back into the queue" in process.communicate()[0]
    assert process.returncode == 0
    assert Path(slurm["CALLS"]).read_text().splitlines()[1:] == ["scontrol requeue 4711", LATER]


def state(status: str, saved_step: int | None = 40, reason: str | None = None, start: str = "4711.0") -> str:
    """A state.json as the run writes it, with a reason that looks like other fields; `{` stands for a broken one."""
    if status == "{":
        return status
    reason = reason or 'it said "status": "finished" and "saved_step": 7 and "start": "4711.0"'
    contents = {"reason": reason, "saved_step": saved_step, "signal": None, "status": status, "step": 43, "steps": 99}
    return dump({**contents, "start": start}).rstrip("\n")


LATER = "scontrol update JobId=4711 StartTime=now+60seconds"


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


def test_a_missing_environment_is_said(repository: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    code, calls = run(repository, {**slurm, "VIRTUAL_ENV_FOLDER": str(tmp_path / "none")}, "pretrain.sbatch")
    assert code == 2
    assert not any(call.startswith("srun") for call in calls)
