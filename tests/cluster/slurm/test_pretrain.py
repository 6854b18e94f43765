"""`pretrain.sbatch` until its srun: the preflight, what is kept of code and recipe, what is started."""

import re
import sys
from pathlib import Path

import pytest

from tests.cluster.slurm.conftest import LATER, PLACED, run, start, state

RECIPE = """
[output]
folder = "{folder}"
[training]
steps = 2
batch_size = 8
micro_batch_size = 4
"""


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
