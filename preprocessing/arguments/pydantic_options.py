"""Pydantic models as command line options: `--field`, and `--section.field` for nested models."""

import argparse
import types
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from preprocessing.arguments.config_file import shortened
from preprocessing.arguments.parser import METAVARS, OptionParser
from preprocessing.errors import PreprocessingError
from preprocessing.storage import location

Model = TypeVar("Model", bound=BaseModel)

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def add_models(parser: OptionParser, models: Sequence[type[BaseModel]], *, config: str | None = None) -> None:
    """Adds an option for every field of the models, and `--config FILE` where `config` says what the file holds.

    A nested field is called `--section.field`, and also `--field` where no other has that name. Fields of the same
    name on the top level of two models are one option. The help is the field's description, its default and, over
    each section, the first line of the nested model's docstring. A field that is a dictionary is a free table:
    `--table.any.key VALUE`. With `json_schema_extra={"also": NAME}` a field is called NAME as well. A tuple of
    texts takes several words, or one with commas where the field has `json_schema_extra={"separator": ","}`; any
    other tuple takes one word with commas.
    """
    if config is not None:
        text = f"TOML file with {config}; its keys are the options below, which override it where given"
        parser.add_argument("--config", type=location if parser.remote else Path, metavar="FILE", help=text)
    leaves: dict[str, FieldInfo] = {}
    groups: dict[str, Any] = {"": parser}
    for model in models:
        for path, field, holder in _leaves(model):
            leaves.setdefault(path, field)
            if _extra(field).get("remote"):
                parser.remote_keys.add(path)
            section = path.rpartition(".")[0]
            if section not in groups:
                groups[section] = parser.add_argument_group(section, (holder.__doc__ or "").strip().split("\n")[0])
    names = Counter(path.rpartition(".")[2] for path in leaves)
    for path, field in leaves.items():
        section, _, last = path.rpartition(".")
        options = [f"--{path}"] + ([f"--{last}"] if section and names[last] == 1 else [])
        if also := _extra(field).get("also"):
            other = f"{section}.{also}" if section else str(also)
            parser.other_names[other] = path
            options.append(f"--{other}")
        _add_option(parser, groups[section], [option.replace("_", "-") for option in options], path, field)
    parser.keys |= leaves.keys() | parser.other_names.keys()
    # Every option once more, before anything is said about one, would fill the first screen.
    parser.usage = f"%(prog)s {'[--config FILE] ' if config else ''}[--option VALUE ...]"


def _add_option(parser: OptionParser, group: Any, options: list[str], path: str, field: FieldInfo) -> None:
    settings: dict[str, Any] = {"dest": path, "default": argparse.SUPPRESS, "help": _help(field)}
    kind, arguments = _kind(field)
    if kind is bool:
        settings["action"] = _YesNo
    elif kind is dict:
        parser.tables.add(path)
        settings |= {"metavar": "TABLE", "type": _no_table}
        options = [f"--{path.replace('_', '-')}.KEY"]
    elif kind is tuple and arguments[:1] == (str,):
        separator = _separator(field)
        settings |= {"nargs": "+", "action": "extend", "metavar": f"TEXT{separator}TEXT" if separator else "TEXT"}
        if separator:
            settings |= {"nargs": None, "action": "store", "type": lambda text: _parts(text, separator)}
    elif kind is tuple:
        metavar = METAVARS.get(_plain(arguments[0]), "TEXT")
        settings |= {"type": lambda text: _parts(text, ","), "metavar": f"{metavar},{metavar}"}
    elif kind is typing.Literal:
        settings |= {"choices": arguments, "metavar": "|".join(map(str, arguments))}
    else:
        settings["metavar"] = METAVARS.get(kind, "TEXT")
    group.add_argument(*options, **settings)


def build_model(
    model: type[Model], namespace: argparse.Namespace, error_class: type[Exception] = PreprocessingError
) -> Model:
    """The model from what was parsed; raises `error_class`, naming option or file, where a value is wrong."""
    data: dict[str, Any] = {}
    given = vars(namespace)
    for path, _, _ in _leaves(model):
        if path in given:
            section, _, field = path.rpartition(".")
            place = data
            for part in section.split(".") if section else ():
                place = place.setdefault(part, {})
            place[field] = given[path]
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise error_class(_sentence(error, namespace, model)) from error


def _sentence(error: ValidationError, namespace: argparse.Namespace, model: type[BaseModel]) -> str:
    first = error.errors()[0]
    parts = [str(part) for part in first["loc"] if not isinstance(part, int)]
    key = ".".join(parts)
    option, config = f"--{key.replace('_', '-')}", getattr(namespace, "config", None)
    if also := next((_extra(field).get("also") for path, field, _ in _leaves(model) if path == key), None):
        option += f" (--{str(also).replace('_', '-')})"
    if first["type"] == "missing":
        return f"{option} is missing; see --help." if config is None else f"{config}: {key} is missing; set it there."
    message = first["msg"].removeprefix("Value error, ")
    if not parts:
        return f"{message}."
    message = f"{message[:1].lower()}{message[1:]}"
    if isinstance(first["input"], dict):  # what the values of a section are together
        return f"[{key}] {message}."
    if key in getattr(namespace, "from_config", ()):
        return f"{config}: {key} = {shortened(first['input'])}: {message}."
    return f"{option} {shortened(first['input'])}: {message}."


class _YesNo(argparse.Action):
    """`--keep`, `--no-keep`, and `--keep false` for those who come from a configuration file."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        negative = [f"--no-{option.removeprefix('--')}" for option in option_strings]
        settings |= {"nargs": "?", "metavar": "yes|no"}
        super().__init__([*option_strings, *negative], dest, **settings)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        value = True
        if values is not None:
            if values.lower() not in (*_TRUE, *_FALSE):
                parser.error(f"{option} {values}: write yes or no")
            value = values.lower() in _TRUE
        setattr(namespace, self.dest, value != (option or "").startswith("--no-"))


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo, type[BaseModel]]]:
    """Dotted name, field and model of every field that is no model itself."""
    for attribute, field in model.model_fields.items():
        name = f"{prefix}{field.alias or attribute}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, f"{name}.")
        else:
            yield name, field, model


def _kind(field: FieldInfo) -> tuple[Any, tuple[Any, ...]]:
    """The type that a text becomes, without None, and its arguments."""
    annotation = field.annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    annotation = _plain(annotation)
    return typing.get_origin(annotation) or annotation, typing.get_args(annotation)


def _plain(annotation: Any) -> Any:
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def _separator(field: FieldInfo) -> str:
    return str(_extra(field).get("separator", ""))


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _no_table(text: str) -> Any:
    raise argparse.ArgumentTypeError(f"{text}: name a key of the table, as --table.key VALUE")


def _help(field: FieldInfo) -> str:
    default = " (required)"
    if not field.is_required():
        value = field.get_default(call_default_factory=True)
        default = "" if value in (None, (), "", {}) else f" (default: {_shown(value)})"
    return f"{field.description or ''}{default}".replace("%", "%%").strip()


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
