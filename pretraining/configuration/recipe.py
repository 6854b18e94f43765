"""Reads a recipe: one TOML file and ``--section.key value`` on the command line."""

import argparse
import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError

_USAGE = "deepspeed pretraining/main.py --config RECIPE.toml --data.shards=FOLDER[,FOLDER] [--section.key value ...]"


def load_recipe(path: str | Path, overrides: Sequence[tuple[str, str]] = ()) -> Recipe:
    """The recipe in ``path`` with ``overrides`` (dotted key, text) applied in order; PretrainingError when it is
    wrong.
    """
    settings = _read_toml(Path(path))
    for key, text in overrides:
        _set(settings, key, _value(text))
    table = settings
    for name in ("deepspeed", "zero_optimization"):
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise PretrainingError(f"{path}: {name} is {table!r}, not a table; ZeRO's stage is a key in the latter")
    table.setdefault("stage", 1)
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise PretrainingError(f"{path}: {_explain(error)}") from error


def parse_command_line(arguments: Sequence[str], usage: str = _USAGE) -> tuple[Path, list[tuple[str, str]]]:
    """``--config FILE`` and the overrides, as ``--a.b value`` or ``--a.b=value``.

    ``--local_rank`` is accepted and ignored: launchers add it, and the environment says the same.
    """
    parser = argparse.ArgumentParser(usage=usage, allow_abbrev=False, add_help=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--local_rank", "--local-rank", default=None)
    known, rest = parser.parse_known_args(list(arguments))
    return known.config, parse_overrides(rest)


def parse_overrides(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Dotted keys and their texts out of ``--a.b value`` and ``--a.b=value``."""
    overrides, queue = [], list(arguments)
    while queue:
        argument = queue.pop(0)
        name, separator, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or "." not in name:
            raise PretrainingError(f"{argument!r} is not understood; overrides look like --training.steps 1000")
        if not separator:
            if not queue:
                raise PretrainingError(f"{argument} has no value; overrides look like --training.steps 1000")
            value = queue.pop(0)
        overrides.append((name, value))
    return overrides


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names the nearest known word."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PretrainingError(
            f"{path}: no such recipe; the ones that come along are in pretraining/recipes/"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise PretrainingError(f"{path}: cannot be read ({error}); give a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise PretrainingError(f"{path}: not TOML: {error}") from error


def _value(text: str) -> Any:
    """A TOML value where the text is one, else the text itself: paths and names need no quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(settings: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for table in tables:
        settings = settings.setdefault(table, {})
        if not isinstance(settings, dict):
            raise PretrainingError(f"--{key}: {table!r} is a value, not a table; see the recipe")
    settings[last] = value


def _explain(error: ValidationError) -> str:
    """The first complaint of pydantic as one sentence; an unknown key is told the nearest known one."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        *parents, name = (str(part) for part in first["loc"])
        fields = _fields(parents)
        return f"unknown key {where!r}: {nearest(name, fields)}"
    if first["type"] == "missing":
        return f"{where} is missing; set it in the recipe or as --{where}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}, not {first['input']!r}" if where and first["type"] != "value_error" else message


def _fields(parents: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Recipe
    for parent in parents:
        annotation = model.model_fields[parent].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return [field.alias or name for name, field in model.model_fields.items()]
