"""The options of every command, asked of the parser that reads them."""

import argparse
import re
import runpy
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from site_pages.tables import code, plain, table

STAGES = ("preprocessing", "pretraining", "finetuning", "cluster")
INNER = (
    "cluster.run_folder",
    "cluster.fitting_nodes",
    "cluster.demo.gaps",
    "cluster.demo.road",
    "cluster.demo.task",
    "cluster.reproduction.road",
)
"""What only the Slurm scripts and the demo start."""
SUBCOMMANDS = {"cluster.submit": ("status", "cancel")}
"""Those that a command tells apart before it has a parser."""
_STARTS = {
    **{f"preprocessing.{name}": "beam run" for name in ("vocabulary", "pipeline", "corpus")},
    **{f"preprocessing.{name}": "beam run" for name in ("near_duplicates", "contamination")},
    "pretraining.main": "deepspeed",
    "cluster.beam": "beam",
}
"""How a command is started that is not `python -m MODULE`."""
_GUARD = re.compile(r"^if __name__ == .__main__.:", re.MULTILINE)
_DEFAULT = re.compile(r"\s*\((?:default: (?P<default>.*)|(?P<required>required))\)$", re.DOTALL)


@dataclass(frozen=True)
class Option:
    """One option, or one word that stands without one: `value` is what it takes, as the help writes it."""

    names: tuple[str, ...]
    value: str
    default: str
    required: bool
    meaning: str


@dataclass(frozen=True)
class Group:
    """Options under one title."""

    title: str
    meaning: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Command:
    """A command, or a subcommand, as its parser describes it."""

    start: str
    meaning: str
    groups: tuple[Group, ...]
    subcommands: tuple["Command", ...]


class _HelpIsAskedForError(BaseException):
    """Ends a command where it would print its help; no `except Exception` may stop it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def command_modules(root: Path) -> list[str]:
    """The modules of the stages that a user starts, found by their last lines, in the order of the stages."""
    found = []
    for stage in STAGES:
        for file in sorted((root / stage).rglob("*.py")):
            module = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__main__")
            if module not in INNER and _GUARD.search(file.read_text(encoding="utf-8")):
                found.append(module)
    return found


def start_of(module: str) -> str:
    """What is typed to start a module."""
    start = _STARTS.get(module, "python -m")
    if start == "beam":
        return start
    return f"{start} {module}" if start == "python -m" else f"{start} {module.replace('.', '/')}.py"


def command_of(module: str) -> Command:
    """Starts a module as `--help` does, stops it where the help would be printed, and describes the parser."""
    command = _described(start_of(module), parser_of(module))
    others = tuple(
        _described(f"{command.start} {name}", parser_of(module, name)) for name in SUBCOMMANDS.get(module, ())
    )
    return replace(command, subcommands=command.subcommands + others)


def parser_of(module: str, *words: str) -> argparse.ArgumentParser:
    """The parser that prints the help of a module behind some words; RuntimeError where none does."""

    def stop(parser: argparse.ArgumentParser, file: object = None) -> None:
        raise _HelpIsAskedForError(parser)

    with (
        mock.patch.object(argparse.ArgumentParser, "print_help", stop),
        mock.patch.object(sys, "argv", [module, *words, "--help"]),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", RuntimeWarning)  # another page may have imported it
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except _HelpIsAskedForError as asked:
            return asked.parser
    raise RuntimeError(f"{module} --help prints no help of a parser")


def _described(start: str, parser: argparse.ArgumentParser) -> Command:
    groups, subcommands = [], []
    for group in parser._action_groups:
        options = []
        for action in group._group_actions:
            if isinstance(action, argparse._SubParsersAction):
                subcommands += [_described(f"{start} {name}", choice) for name, choice in action.choices.items()]
            elif action.help != argparse.SUPPRESS and "--help" not in action.option_strings:
                options.append(_option(parser, action))
        if options:
            named = group.title not in ("positional arguments", "options")
            groups.append(Group(group.title or "" if named else "", group.description or "", tuple(options)))
    return Command(start, parser.description or "", tuple(groups), tuple(subcommands))


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    formatter = parser._get_formatter()
    text = formatter._expand_help(action) if action.help else ""
    said = _DEFAULT.search(text)
    if action.option_strings:
        names = tuple(action.option_strings)
        default_metavar = formatter._get_default_metavar_for_optional(action)
        value = formatter._format_args(action, default_metavar) if action.nargs != 0 else ""
    else:
        names = (formatter._format_args(action, formatter._get_default_metavar_for_positional(action)),)
        value = ""
    return Option(
        names,
        value,
        (said["default"] or "") if said else "",
        bool(said and said["required"]) or (not action.option_strings and action.required),
        text[: said.start()] if said else text,
    )


def page_of(stage: str, commands: list[Command]) -> str:
    """The page of a stage's commands."""
    lines = [
        f"# Commands of {stage}\n\n",
        "Made from the parsers themselves; `--help` of each command says the same.\n\n",
    ]
    for command in commands:
        lines += _section(command, 2)
    return "".join(lines)


def _section(command: Command, depth: int) -> Iterator[str]:
    yield f"{'#' * depth} `{command.start}`\n\n{plain(command.meaning)}\n\n"
    for group in command.groups:
        if group.title:
            yield f"**{plain(group.title)}** {plain(group.meaning)}\n\n"
        yield table(("option", "takes", "default", "meaning"), map(_row, group.options))
    for subcommand in command.subcommands:
        yield from _section(subcommand, depth + 1)


def _row(option: Option) -> tuple[str, str, str, str]:
    names = ", ".join(map(code, option.names))
    # A default that is a sentence is no value to type.
    value = plain(option.default) if " " in option.default else code(option.default)
    default = "required" if option.required else value
    return names, code(option.value), default, plain(option.meaning)
