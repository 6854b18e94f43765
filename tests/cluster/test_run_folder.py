"""The folders that a recipe and a command line name, as the Slurm script reads them."""

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.run_folder import main

TRAINING = "[training]\nsteps = 2\nbatch_size = 8\nmicro_batch_size = 4\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "my recipe.toml"
    file.write_text(f'{TRAINING}[data]\nshards = ["a b", "c"]\n[output]\nfolder = "runs/of recipe"\n')
    return file


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ((), ["runs/of recipe", "a b", "c"]),
        (("--output.folder=runs/x", "--data.shards=d,e"), ["runs/x", "d", "e"]),
        (("--output.folder", "runs/x/", "--data.shards", "d"), ["runs/x", "d"]),
        (("--folder", "x", "--shards=d"), ["x", "d"]),
        (("--training.seed=3", "--local_rank=1"), ["runs/of recipe", "a b", "c"]),
    ],
)
def test_the_command_line_goes_before_the_recipe(
    recipe: Path, arguments: tuple[str, ...], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(recipe), *arguments]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_what_no_recipe_names_is_the_default_and_no_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.toml").write_text(TRAINING)
    assert main(["--config", str(tmp_path / "recipe.toml")]) == 0
    assert capsys.readouterr().out == "runs/pretraining\n"


def test_a_bad_recipe_is_one_sentence_as_the_run_would_say_it(recipe: Path, repository: Path) -> None:
    arguments = ["--config", str(recipe), "--training.stepps=3"]
    here, there = (
        subprocess.run(
            [sys.executable, *words, *arguments], capture_output=True, text=True, cwd=repository, check=False
        )
        for words in (("-m", "cluster.run_folder"), ("pretraining/main.py",))
    )
    assert (here.returncode, here.stdout) == (2, "")
    assert here.stderr.startswith("error: ")
    assert len(here.stderr.splitlines()) == 1
    assert here.stderr == there.stderr
