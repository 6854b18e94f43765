"""Where this folder is on PYTHONPATH, Python imports this file at its start: when the program ends, it writes to the
file that HELP_PROBE names whose help was printed, option by option, and what was imported for it."""

import argparse
import atexit
import json
import os
import sys
from typing import Any

printed: list[argparse.ArgumentParser] = []
format_help = argparse.ArgumentParser.format_help


def noting_format_help(parser: argparse.ArgumentParser) -> str:
    printed.append(parser)
    return format_help(parser)


def described(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Name, kind and description of a parser, the names and the help of what it lists, and its subcommands."""
    listed = []
    subcommands = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help for choice in action._choices_actions}
            listed += [{"names": [name], "help": texts.get(name) or ""} for name in action.choices]
            subcommands = {name: described(subcommand) for name, subcommand in action.choices.items()}
        elif action.help != argparse.SUPPRESS:
            text = parser._get_formatter()._expand_help(action) if action.help else ""
            listed.append({"names": list(action.option_strings) or [action.dest], "help": text})
    return {
        "prog": parser.prog,
        "kinds": [f"{kind.__module__}.{kind.__name__}" for kind in type(parser).__mro__],
        "description": parser.description or "",
        "listed": listed,
        "subcommands": subcommands,
    }


def write_down() -> None:
    imported = sorted({name.partition(".")[0] for name in sys.modules})
    parser = described(printed[-1]) if printed else None
    with open(os.environ["HELP_PROBE"], "w", encoding="utf-8") as file:
        json.dump({"parser": parser, "imported": imported}, file)


if "HELP_PROBE" in os.environ:
    argparse.ArgumentParser.format_help = noting_format_help  # type: ignore[method-assign]
    atexit.register(write_down)
