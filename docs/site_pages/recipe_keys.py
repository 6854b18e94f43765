"""Every key of a pretraining recipe: type, limits, default, unit, meaning, from the models that check it."""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pretraining.configuration.tables import Recipe
from site_pages.tables import code, plain, table

UNITS = {
    "steps": ("training.steps", "training.stop_at", "schedule.warmup_steps", "evaluation.every", "checkpoint.every")
    + ("checkpoint.keep_every", "output.log_every", "health.rewind_after"),
    "sequences": ("training.batch_size", "training.micro_batch_size"),
    "seconds": ("schedule.seconds", "health.watchdog_seconds", "health.join_seconds", "health.lost_after_seconds"),
    "pieces": ("model.vocab_size", "model.max_position_embeddings", "data.sequence_length"),
    "neurons": ("model.hidden_size", "model.intermediate_size"),
    "layers": ("model.num_hidden_layers",),
    "heads": ("model.num_attention_heads",),
    "passes": ("data.weights",),
    "batches": ("data.prefetch",),
    "threads": ("training.threads",),
    "examples": ("evaluation.examples",),
    "checkpoints": ("checkpoint.keep",),
    "rewinds": ("health.rewinds",),
    "TFLOP/s": ("output.peak_tflops",),
    "probability": ("model.hidden_dropout_prob", "model.attention_probs_dropout_prob"),
    "1": ("optimizer.beta1", "optimizer.beta2", "optimizer.epsilon", "optimizer.weight_decay", "schedule.power")
    + ("schedule.decay_share", "schedule.final_share", "health.spike_factor", "model.initializer_range")
    + ("training.clip_norm", "data.seed", "training.seed", "optimizer.learning_rate"),
}
"""What the numbers count, by unit; `1` is a pure number. A test asks for the unit of every key that takes a number."""
_UNIT_OF = {key: unit for unit, keys in UNITS.items() for key in keys}
_SIGNS = {Ge: "≥\u00a0", Gt: ">\u00a0", Le: "≤\u00a0", Lt: "<\u00a0"}


@dataclass(frozen=True)
class Key:
    """One key of a recipe; `takes` is its type in words, `limits` its range."""

    name: str
    takes: str
    limits: str
    default: str
    unit: str
    meaning: str
    is_number: bool


def all_keys(model: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[Key]:
    """The keys of a recipe, table by table."""
    for attribute, field in model.model_fields.items():
        name = f"{prefix}{field.alias or attribute}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from all_keys(field.annotation, f"{name}.")
        else:
            yield _key(name, field)


def _key(name: str, field: FieldInfo) -> Key:
    parts = list(_parts(field.annotation))
    takes = " or ".join(dict.fromkeys(text for text, _ in parts))
    found = [*field.metadata, *(mark for _, metadata in parts for mark in metadata)]
    marks = [mark for one in found for mark in (one.metadata if isinstance(one, FieldInfo) else (one,))]
    limits = ", ".join(
        f"{sign}{_number(getattr(mark, kind.__name__.lower()))}"
        for mark in marks
        for kind, sign in _SIGNS.items()
        if isinstance(mark, kind)
    )
    numbers = any(text in ("integer", "number", "list of numbers") for text, _ in parts)
    return Key(name, takes, limits, _default(field), _UNIT_OF.get(name, ""), field.description or "", numbers)


def _parts(annotation: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The types that a value may have, in words, with the marks of each; None is "left out", and no type."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        for argument in arguments:
            yield from _parts(argument)
    elif origin is typing.Annotated:
        for text, marks in _parts(arguments[0]):
            yield text, (*arguments[1:], *marks)
    elif origin is typing.Literal:
        yield ", ".join(f'"{choice}"' for choice in arguments), ()
    elif origin is tuple:
        yield "list of texts" if arguments[0] not in (int, float) else "list of numbers", ()
    elif annotation is not types.NoneType:
        names = {int: "integer", float: "number", bool: "true or false", str: "text"}
        yield names.get(annotation, "table" if origin is dict else "text"), ()


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True)
    if value is None or value == ():
        return "left out"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def page() -> str:
    """The page of all keys."""
    text = [
        "# Keys of a pretraining recipe\n\nMade from the models that check a recipe. A key stands in the TOML file "
        "that `--config` names, in the table that its first part names, or on the command line as `--table.key VALUE`, "
        "which goes before the file. A key that is not here is refused.\n\n"
    ]
    tables: dict[str, list[Key]] = {}
    for key in all_keys():
        tables.setdefault(key.name.rpartition(".")[0] or key.name, []).append(key)
    for name, members in tables.items():
        holder = Recipe.model_fields[name].annotation
        meaning = (holder.__doc__ or "").strip() if isinstance(holder, type) and issubclass(holder, BaseModel) else ""
        text.append(f"## `[{name}]`\n\n{plain(meaning)}\n\n")
        text.append(table(("key", "takes", "default", "unit", "meaning"), map(_row, members)))
    return "".join(text)


def _row(key: Key) -> tuple[str, ...]:
    default = code(key.default) if key.default not in ("", "left out") else key.default or "required"
    takes = ", ".join(filter(None, (key.takes, key.limits)))
    return code(key.name), plain(takes), default, plain(key.unit), plain(key.meaning)
