"""Whether a command of the pages can be run as it is written: its program, its options and their values exist."""

import argparse
import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.documented_commands.collecting import Command, program_of

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "docs"))
from site_pages.command_options import SUBCOMMANDS, parser_of  # noqa: E402  (it lies beside the pages of the site)

PROGRAM_OF_SCRIPT = {
    "preprocess.sbatch": "preprocessing.pipeline",
    "pretrain.sbatch": "pretraining.main",
    "finetune.sbatch": "finetuning.sweep",
}
_OPEN = re.compile(r"(?:is|are) required|is missing|invalid (?:choice|\w+ value): '[A-Z][A-Z_]*'")
"""What a page may leave open: a part of a command, or a value that is a word in capitals."""
OTHERS = ("git", "docker", "aws", "dask", "srun", "source", "cd", "export", "torchrun")
"""Programs that are not ours: what they are given is theirs to judge."""


def problem_of(command: Command) -> str | None:
    """What is wrong with a command, in words; None where nothing is."""
    try:
        _check(command.words)
    except Exception as error:
        return f"{command}: {error}"
    return None


def _check(words: Sequence[str]) -> None:
    program, rest = program_of(tuple(words))
    match program:
        case ("make", *targets):
            _check_make([*targets, *rest])
        case ("python", "-m", "pytest"):
            _check_files([word for word in rest if word.startswith("tests/")])
        case ("python", "-m", "timeit"):
            _check_code(rest[rest.index("-s") + 1])
        case ("python", "-c"):
            _check_code(rest[0])
        case ("python",) if rest[:1] == ("-c",):
            _check_code(rest[1])
        case ("python", "-m", module, *sub):
            inner = [word for word in sub if word in SUBCOMMANDS.get(module, ())]
            _check_ours(module, [*sub[len(inner) :], *rest], *inner)
        case ("beam", "run", file):
            _check_beam(file, list(rest))
        case ("sbatch", script):
            _check_files([script])
            if module := PROGRAM_OF_SCRIPT.get(Path(script).name):
                _check_ours(module, list(rest))
        case ("deepspeed" | "torchrun" | "python", file):
            _check_files([file])
            _check_ours(file.removesuffix(".py").replace("/", "."), list(rest))
        case ("cluster/restart.sh",):
            _check_files(program)
        case ("pip", "install"):
            _check_extras(rest)
        case ("beam" | "deepspeed" | "sbatch", *_) if len(program) == 1:
            return  # the launcher alone, named in a sentence
        case (name, *_) if name in OTHERS:
            return
        case _:
            raise ValueError("no way to check it: say how in tests/documented_commands/checking.py")


def _check_make(words: Sequence[str]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        known = re.search(rf"\$\({name}\)|\$\(if \$\({name}\)" if is_variable else rf"^{name}:", makefile, re.MULTILINE)
        if not known:
            raise ValueError(f"the Makefile has no {'variable' if is_variable else 'target'} {name}")


def _check_files(names: Sequence[str]) -> None:
    for name in names:
        if not (REPOSITORY / name).exists():
            raise ValueError(f"there is no {name}")


def _check_code(code: str) -> None:
    """Code compiles, and what it imports of the project is there."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
            if missing:
                raise ValueError(f"{node.module} has no {missing[0]}")


def _check_extras(words: Sequence[str]) -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in re.findall(r"\.\[([\w,-]+)\]", " ".join(words)):
        for extra in name.split(","):
            if extra not in extras["optional-dependencies"]:
                raise ValueError(f"pyproject.toml has no extra {extra}")


def _check_ours(module: str, words: list[str], *subcommand: str) -> None:
    """The real parser takes the words, and a recipe that is there can be read with them."""
    parser = _parser(module, *subcommand)
    words = _without_files_of_others(words)
    namespace, unknown = _parsed(parser, words)
    if unknown:
        raise ValueError(f"{module} has no option {unknown[0]}")
    if module == "pretraining.main" and getattr(namespace, "config", None):
        from pretraining.configuration.recipe import recipe_of

        recipe_of(namespace)


def _check_beam(file: str, words: list[str]) -> None:
    if file.isupper() or "…" in file:
        return
    _check_files([file])
    from cluster.beam import option_parser

    run, rest = option_parser().parse_known_args(["run", file, *words])
    assert run.command == "run"
    _, unknown = _parsed(_parser(file.removesuffix(".py").replace("/", ".")), _without_files_of_others(rest))
    known = _options_of_beam() if unknown else set()
    for word in unknown:
        if word.startswith("--") and word.partition("=")[0] not in known:
            raise ValueError(f"neither {file} nor Apache Beam has an option {word}")


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> tuple[Any, list[str]]:
    """As the command would; what is only missing is no problem here: a page may show a part of a command."""
    try:
        return parser.parse_known_args([*words])
    except Exception as error:
        if _OPEN.search(str(error)):
            names = (word.partition("=")[0] for word in words if word.startswith("--"))
            return argparse.Namespace(), [name for name in names if name not in _names_of(parser)]
        raise


def _names_of(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a parser and of its subcommands."""
    names = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            names |= {name for inner in action.choices.values() for name in _names_of(inner)}
    return names


def _without_files_of_others(words: list[str]) -> list[str]:
    """The words without `--config FILE` where the reader is to write that file."""
    if "--config" in words:
        place = words.index("--config")
        if place + 1 < len(words):
            file = REPOSITORY / words[place + 1]
            return words[:place] + (["--config", str(file)] if file.exists() else []) + words[place + 2 :]
    return words


@cache
def _parser(module: str, *subcommand: str) -> argparse.ArgumentParser:
    return parser_of(module, *subcommand)


@cache
def _options_of_beam() -> set[str]:
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.dask import dask_runner

    assert dask_runner.DaskOptions in PipelineOptions.__subclasses__()
    parser = argparse.ArgumentParser(conflict_handler="resolve")
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    return set(parser._option_string_actions)
