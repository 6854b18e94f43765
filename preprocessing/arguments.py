"""Pydantic models as command line options: `--field`, and `--section.field` for nested models."""

import argparse
import difflib
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from preprocessing.errors import PreprocessingError

Model = TypeVar("Model", bound=BaseModel)


class OptionParser(argparse.ArgumentParser):
    """Raises PreprocessingError instead of leaving the process; never guesses abbreviations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        raise PreprocessingError(f"{message}; see --help.")


def add_models(parser: argparse.ArgumentParser, models: Sequence[type[BaseModel]]) -> None:
    """Adds an option for every field of the models.

    A nested field is called `--section.field`, and also `--field` where no other has that name. Fields of the same
    name on the top level of two models are one option.
    """
    leaves: dict[str, FieldInfo] = {}
    for model in models:
        for path, field in _leaves(model):
            leaves.setdefault(path, field)
    names = Counter(path.rpartition(".")[2] for path in leaves)
    for path, field in leaves.items():
        last = path.rpartition(".")[2]
        options = [f"--{path}"] + ([f"--{last}"] if last != path and names[last] == 1 else [])
        options = [option.replace("_", "-") for option in options]
        settings: dict[str, Any] = {"dest": path, "default": argparse.SUPPRESS, "help": _help(field)}
        arguments = typing.get_args(field.annotation)
        if field.annotation is bool or arguments == (bool, type(None)):
            settings["action"] = argparse.BooleanOptionalAction
        elif arguments[:1] == (str,) and typing.get_origin(field.annotation) is tuple:
            settings |= {"nargs": "+", "action": "extend", "metavar": "TEXT"}
        elif typing.get_origin(field.annotation) is tuple:
            settings |= {"type": lambda text: text.split(","), "metavar": "N,N"}
        elif typing.get_origin(field.annotation) is typing.Literal:
            settings["choices"] = arguments
        else:
            settings["metavar"] = "VALUE"
        parser.add_argument(*options, **settings)


def build_model(model: type[Model], namespace: argparse.Namespace) -> Model:
    """The model from what was parsed. PreprocessingError, naming the option, where a value is out of range."""
    data: dict[str, Any] = {}
    given = vars(namespace)
    for path, _ in _leaves(model):
        if path in given:
            section, _, field = path.rpartition(".")
            place = data
            for part in section.split(".") if section else ():
                place = place.setdefault(part, {})
            place[field] = given[path]
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"] if not isinstance(part, int)).replace("_", "-")
        if first["type"] == "missing":
            raise PreprocessingError(f"--{option} is missing; see --help.") from error
        message = first["msg"].removeprefix("Value error, ")
        given_value = f" {first['input']}" if option else ""
        where = f"--{option}{given_value}: " if option else ""
        raise PreprocessingError(f"{where}{message[:1].lower() if where else message[:1]}{message[1:]}.") from error


def refuse_unknown(unknown: Sequence[str], known: Sequence[str]) -> None:
    """Raises PreprocessingError that names the first unknown option and the known one nearest to it."""
    for option in unknown:
        name = option.partition("=")[0]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "see --help."
        raise PreprocessingError(f"{name} is not an option of this program or of Apache Beam; {hint}")


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _help(field: FieldInfo) -> str:
    default = "" if field.default in (None, (), "") else f" (default: {_shown(field.default)})"
    return f"{field.description or ''}{default}".replace("%", "%%")


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
