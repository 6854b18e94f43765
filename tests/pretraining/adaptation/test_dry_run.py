"""The commands that are said are such as the programs take."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pretraining import adapt, evaluate
from pretraining.adaptation.commands import ROOT
from pretraining.configuration.recipe import recipe_of, recipe_parser


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[list[str], list[list[str]]]:
    """Comments and commands of a dry run."""
    assert adapt.main([*words, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    return comments, [shlex.split(line) for line in lines if not line.startswith("#")]


def check_build(command: Sequence[str]) -> None:
    from preprocessing import pipeline

    file = command.index(str(ROOT / "preprocessing" / "pipeline.py"))
    words = list(command[file + 1 :])
    known, rest = pipeline.option_parser().parse_known_args(words)
    assert rest == ["--engine", "local"]  # of `beam run`, and so is the next
    assert words[-2:] == ["--workers", "2"]
    assert vars(known)["sequence_lengths"] == ["32"]
    assert vars(known)["books.document"] == "chapter"


def test_every_command_is_one(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "my text" / "out"
    words = ["--model", str(model_folder), "--text", "mine/**", "--replay", "general/**", "--output", str(output)]
    words += ["--sequence-length", "32", "--new-pieces", "7", "--workers", "2", "--build.books.document", "chapter"]
    comments, commands = said(capsys, *words, "--optimizer.learning_rate", "5e-5")
    assert not output.exists()
    assert len(comments) == 11
    builds, evaluations, trainings = commands[:3], [*commands[3:5], *commands[6:]], commands[5:6]
    for command in builds:
        assert command[:4] == [sys.executable, "-m", "cluster.beam", "run"]
        check_build(command)
    vocabularies = [next(word for word in command if word.startswith("--vocab=")) for command in builds]
    assert vocabularies == [f"--vocab={folder}" for folder in (model_folder, output / "start", output / "start")]
    models = []
    for command in evaluations:
        assert command[:3] == [sys.executable, "-m", "pretraining.evaluate"]
        given = evaluate.option_parser().parse_args(command[3:])
        models.append((given.model, given.shards, given.output.name))
    assert models == [
        (output / "start", [output / "shards"], "your-before.json"),
        (output / "start", [output / "replay"], "general-before.json"),
        (output / "export", [output / "shards"], "your-after.json"),
        (output / "export", [output / "replay"], "general-after.json"),
    ]
    ((python, file, *rest),) = trainings
    assert (python, file) == (sys.executable, str(ROOT / "pretraining" / "main.py"))
    recipe = recipe_of(recipe_parser("", "").parse_args(rest))
    assert recipe.optimizer.learning_rate == 5e-5
    assert recipe.data.shards == (str(output / "shards"), str(output / "replay"))
    assert recipe.init.from_ == str(output / "start")


def test_several_processes(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", str(model_folder), "--text", "a.txt", "--output", str(tmp_path / "out")]
    comments, commands = said(capsys, *words, "--sequence-length", "32", "--processes", "4")
    (training,) = [command for command in commands if str(ROOT / "pretraining" / "main.py") in command]
    assert training[0] == str(Path(sys.executable).parent / "deepspeed")
    assert training[1:3] == ["--num_gpus", "4"]
    assert len(comments) == 6
