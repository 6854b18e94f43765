"""Options as the words of a command line: the way back from what `OptionParser` reads."""

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any

from preprocessing.arguments.config_file import flatten, toml_value
from preprocessing.arguments.parser import OptionParser, hint


def flat_values(table: Mapping[str, Any], parser: OptionParser) -> dict[str, Any]:
    """The values of a table with the keys of the parser's `--config` file, by dotted key.

    Raises the parser's error for a key that it does not have, naming the nearest.
    """
    values, unknown = flatten(dict(table), parser.keys)
    if unknown:
        raise parser.error_class(f"unknown key {unknown[0]!r}; {hint(unknown[0], sorted(parser.keys))}")
    return values


def words_of(values: Mapping[str, Any], parser: OptionParser) -> list[str]:
    """Words that `parser` reads as these values, by dotted key: `--sequence-lengths=128,512`, sorted by key.

    What lies in free tables is a word for each value: `--deepspeed.zero_optimization.stage=1`.
    """
    several = {action.dest for action in parser._actions if action.nargs == "+"}
    words: list[str] = []
    for key, value in sorted(values.items()):
        if key in parser.tables:
            if not isinstance(value, Mapping):
                raise parser.error_class(f"{key} = {value!r} is no table; write {key} = {{ NAME = … }}")
            words += (f"--{key}.{name}={_in_table(inner)}" for name, inner in _leaves(value))
        elif key in several:
            words += (
                f"--{key.replace('_', '-')}={part}" for part in (value if isinstance(value, list | tuple) else (value,))
            )
        else:
            words.append(f"--{key.replace('_', '-')}={_plain(value)}")
    return words


def given_values(namespace: argparse.Namespace, parser: OptionParser) -> dict[str, Any]:
    """What was given on a command line and in its `--config` file, by dotted key; no defaults."""
    return {key: value for key, value in vars(namespace).items() if key in parser.keys}


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in sorted(table.items()):
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)


def _in_table(value: Any) -> str:
    """A value as TOML, a text without quotes where it can be nothing else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_quoted(part) if isinstance(part, str) else _in_table(part) for part in value)}]"
    return _quoted(value) if isinstance(value, str) and toml_value(value) != value else str(value)


def _quoted(text: str) -> str:
    """A basic string of TOML, which is one of JSON but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
