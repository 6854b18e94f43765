"""argparse with the manners of this project: no abbreviations, one style of help, one sentence for a mistake."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from preprocessing.arguments.config_file import flatten, read_table, set_in, toml_value
from preprocessing.arguments.remote_names import refuse_storage, use_storage_options
from preprocessing.errors import PreprocessingError
from preprocessing.storage import location

METAVARS: dict[Any, str] = {int: "N", float: "X", Path: "PATH", location: "PATH"}
"""How the help writes a value of each type; TEXT for the others."""


class OptionParser(argparse.ArgumentParser):
    """Raises `error_class` instead of leaving the process; never guesses abbreviations.

    `--a_b` is taken for `--a-b`. `keys`, `tables` and `other_names` are filled by `add_models`: the keys that a
    `--config` file may set, those among them that hold a free table (`--table.any.key VALUE`), and the key that each
    other name stands for. With `remote` the command reads and
    writes remote files where an option's declaration says so (`remote_names.py`); elsewhere addresses are refused.
    """

    def __init__(
        self,
        prog: str | None = None,
        description: str | None = None,
        error_class: type[Exception] = PreprocessingError,
        *,
        remote: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(prog, description=description, allow_abbrev=False, formatter_class=_Help, **settings)
        self.error_class = error_class
        self.keys: set[str] = set()
        self.tables: set[str] = set()
        self.other_names: dict[str, str] = {}
        self.remote = remote
        self.remote_keys: set[str] = set()

    def add_subparsers(self, **settings: Any) -> Any:  # type: ignore[override]
        """Subcommands with the same manners."""
        settings["parser_class"] = partial(OptionParser, error_class=self.error_class)
        return super().add_subparsers(**settings)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; the nearest option is named to one that is unknown."""
        known, unknown = self.parse_known_args(args, namespace)
        self.refuse_unknown(unknown)
        return known

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; free tables and the file of `--config` are read as well."""
        words = list(sys.argv[1:] if args is None else args)
        end = words.index("--") if "--" in words else len(words)  # what follows may be another program's
        known, rest = super().parse_known_args([*map(self._spelt, words[:end]), *words[end:]], namespace)
        rest = self._read_tables(known, rest)
        if self.remote:
            use_storage_options(known, rest)
        if getattr(known, "config", None) is not None and self.keys:
            self._read_config(known)
        refuse_storage(vars(known), self.error_class, taken=self.remote_keys if self.remote else ())
        return known, rest

    def refuse_unknown(self, unknown: Sequence[str]) -> None:
        """Raises the parser's error for the first word that nobody understood."""
        refuse_unknown(unknown, list(self._option_string_actions), "this program", self.error_class)

    def error(self, message: str) -> NoReturn:
        raise self.error_class(f"{message}; see --help.")

    def _spelt(self, word: str) -> str:
        name, sign, value = word.partition("=")
        spelt = name.replace("_", "-")
        return f"{spelt}{sign}{value}" if name.startswith("--") and spelt in self._option_string_actions else word

    def _read_tables(self, known: argparse.Namespace, rest: Sequence[str]) -> list[str]:
        left: list[str] = []
        words = iter(rest)
        for word in words:
            name, sign, value = word.removeprefix("--").partition("=")
            table = next((table for table in self.tables if name.startswith(f"{table}.")), None)
            if not word.startswith("--") or table is None:
                left.append(word)
                continue
            if not sign:
                value = next(words, "")
                if not value:
                    self.error(f"{word} has no value")
            content = vars(known).setdefault(table, {})
            if not set_in(content, name.removeprefix(f"{table}."), toml_value(value)):
                self.error(f"--{name}: a part of it is a value, not a table")
        return left

    def _read_config(self, known: argparse.Namespace) -> None:
        path = known.config
        values, unknown = flatten(read_table(path, self.error_class), self.keys)
        if unknown:
            raise self.error_class(f"{path}: unknown key {unknown[0]!r}; {hint(unknown[0], sorted(self.keys))}")
        for other, key in self.other_names.items():
            if other in values and key in values:
                raise self.error_class(f"{path}: {other} and {key} are the same; write one of them.")
            if other in values:
                values[key] = values.pop(other)
        given = vars(known)
        for table in self.tables & values.keys() & given.keys():
            values[table] = _merged(values[table], given[table])
            del given[table]
        given["from_config"] = frozenset(values.keys() - given.keys())
        given |= {key: value for key, value in values.items() if key not in given}


def refuse_unknown(
    unknown: Sequence[str],
    known: Sequence[str],
    whose: str = "this program or of Apache Beam",
    error_class: type[Exception] = PreprocessingError,
) -> None:
    """Raises an error that names the first unknown option and the known one nearest to it."""
    for option in unknown:
        name = option.partition("=")[0]
        raise error_class(f"{name} is not an option of {whose}; {hint(name, known)}")


def hint(name: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, if one is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else "see --help."


def _merged(low: Any, high: Any) -> Any:
    if not (isinstance(low, dict) and isinstance(high, dict)):
        return high
    return low | {key: _merged(low.get(key), value) for key, value in high.items()}


class _Help(argparse.HelpFormatter):
    """Names what an option takes by its type, and says its default where it has one that says something."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.required and action.option_strings:
            return text if "(required" in text else f"{text} (required)"
        silent = action.default in (None, argparse.SUPPRESS, "", [], ()) or action.default is False
        if silent or "(default" in text:
            return text
        return f"{text} (default: %(default)s)"

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        if action.choices is not None:
            return "|".join(map(str, action.choices))
        return METAVARS.get(action.type, "TEXT")

    def _metavar_formatter(self, action: argparse.Action, default_metavar: str) -> Any:
        if action.option_strings and action.metavar is None:  # argparse would write choices in another way
            return lambda count: (default_metavar,) * count
        return super()._metavar_formatter(action, default_metavar)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        # What an option takes is written once, after its last name.
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"
