"""Every command of the README names programs, options, recipes and targets that exist."""

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
PROGRAM_OF_SCRIPT = {
    "preprocess.sbatch": ("beam", "run", "preprocessing/pipeline.py"),
    "pretrain.sbatch": ("pretraining/main.py",),
    "finetune.sbatch": ("-m", "finetuning.sweep"),
}
KNOWN_STARTS = ("make", "beam", "deepspeed", "python", "sbatch")


def commands() -> list[str]:
    """Lines of the README's indented code blocks, without their comments."""
    text = README.read_text(encoding="utf-8")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines = re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE)
    lines += re.findall(r"`((?:make|python -m|beam run|deepspeed) [^`]*)`", text)
    return [line.split("  #")[0].strip() for line in lines]


@cache
def help_of(*program: str) -> str:
    """What a program says to --help."""
    environment = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    start = [str(Path(sys.executable).parent / "beam"), *program[1:]] if program[0] == "beam" else None
    run = subprocess.run(
        [*(start or [sys.executable, *program]), "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=README.parent,
        env=environment,
    )
    assert run.returncode == 0, f"{' '.join(program)} --help: {run.stderr}"
    return run.stdout


def check_options(program: tuple[str, ...], words: list[str]) -> None:
    known = set(re.findall(r"--[a-zA-Z][\w-]*", help_of(*program)))
    if program[0] == "beam":
        known |= {"--engine", "--workers"}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known, f"{' '.join(program)} has no option {word}"


def check_pretraining(words: list[str]) -> None:
    from pretraining.configuration.recipe import recipe_of, recipe_parser

    place = words.index("--config") + 1
    words[place] = str(README.parent / words[place])
    assert recipe_of(recipe_parser("pretraining", "").parse_args(words)).training.steps > 0


def check(command: str) -> None:
    words = shlex.split(command)
    match words:
        case ["make", *targets]:
            makefile = (README.parent / "Makefile").read_text()
            for target in targets:
                assert "=" in target or re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
        case ["python", "-m", "pretraining.plan", *rest]:  # keys of a recipe are options too
            check_options(("-m", "pretraining.plan"), [word for word in rest if "." not in word])
        case ["python", "-m", module, *rest]:
            # A bare first word is a subcommand with a help of its own.
            subcommand = [word for word in rest[:1] if re.fullmatch(r"[a-z]+", word)]
            check_options(("-m", module, *subcommand), rest)
        case ["beam", "run", file, *rest]:
            check_options(("beam", "run", file), rest)
        case ["deepspeed", *rest]:
            main = rest.index("pretraining/main.py")
            check_pretraining(rest[main + 1 :])
        case ["sbatch", *rest]:
            script = next(i for i, word in enumerate(rest) if word.endswith(".sbatch"))
            assert (README.parent / rest[script]).is_file()
            program = PROGRAM_OF_SCRIPT[Path(rest[script]).name]
            if program[0] == "pretraining/main.py":
                check_pretraining(rest[script + 1 :])
            else:
                check_options(program, rest[script + 1 :])
        case _:
            pytest.fail(f"no way to check this command: {command}")


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_the_command_can_be_run_as_written(command: str) -> None:
    check(command)


def test_the_readme_has_the_commands_of_every_stage() -> None:
    text = "\n".join(commands())
    for start in KNOWN_STARTS:
        assert re.search(rf"^{re.escape(start)} ", text, flags=re.MULTILINE), start


@pytest.mark.slow
def test_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="--fnord"):
        check("python -m cluster.demo.sample_corpus --fnord")
