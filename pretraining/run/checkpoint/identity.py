"""What a checkpoint belongs to, and what may differ when a run goes on from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig

# Keys of a recipe that change no weight but by rounding: how the work is cut up, what is written down, when it stops.
_FREE = (
    *("output", "evaluation", "checkpoint", "health", "data.prefetch", "data.fixed_shapes", "deepspeed"),
    *("training.micro_batch_size", "training.stop_at", "training.threads", "training.deterministic"),
    *("model.activation_checkpointing", "model.compile"),
)
# Of DeepSpeed's table these do: they are numbers of the computation itself.
_NOT_FREE = ("deepspeed.fp16", "deepspeed.communication_data_type", "deepspeed.data_types")
# What these say is compared by what came of it: the model that was built, the shards' fingerprints.
_DERIVED = ("model", "data.shards")
_PRECISION = "training.precision"
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")


@dataclass(frozen=True)
class Identity:
    """What a run trains, on what, and how."""

    model: dict[str, Any]
    shards: str  # fingerprints of the shard sets
    population: str  # what the position counts in: a change (another length of the same shards) starts it anew
    settings: dict[str, Any]  # of the recipe, by dotted key: all that change what is learnt
    steps: int
    stage: int
    ranks: int
    threads: int  # of the CPU: sums are rounded otherwise with another number


def identity_of(recipe: Recipe, model: BertConfig, shards: str, population: str, ranks: int, threads: int) -> Identity:
    """The identity of a run of `recipe`."""
    architecture, settings = model.model_dump(mode="json"), settings_of(recipe)
    return Identity(architecture, shards, population, settings, recipe.training.steps, recipe.stage, ranks, threads)


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """The values of a recipe that change what is learnt, by dotted key; not those that are compared otherwise."""
    dumped = recipe.model_dump(mode="json", by_alias=True)
    return {key: value for key, value in sorted(_flat(dumped).items()) if not _is_free(key)}


def accepted_changes(
    checkpoint: Path, saved: Identity, current: Identity, allowed: Sequence[str]
) -> dict[str, list[Any]]:
    """The settings that differ, as key → [before, now], all of them named in `allowed`.

    PretrainingError for one that is not named, and for another model. Another number of ranks and another ZeRO stage
    always fit.
    """
    check_model(checkpoint, saved.model, current.model)
    changes = {
        f"model.{name}": [saved.model.get(name), current.model.get(name)]
        for name in _DROPOUTS
        if saved.model.get(name) != current.model.get(name)
    }
    if saved.shards != current.shards:
        changes["data.shards"] = [saved.shards, current.shards]
    for key in sorted({*saved.settings, *current.settings}):
        before, now = saved.settings.get(key), current.settings.get(key)
        if before != now:
            changes[key] = [before, now]
    refused = {key: values for key, values in changes.items() if not is_below(key, allowed)}
    if refused:
        hint = ""
        if _PRECISION in refused:
            hint = f' ({_PRECISION} = "auto" takes what this machine has: say "{saved.settings.get(_PRECISION)}")'
        raise PretrainingError(
            f"{checkpoint} was written with other settings ({_said(refused)}); set them back{hint}, accept the change "
            f"with --checkpoint.allow={','.join(refused)}, or start a new output.folder with init.from set to this run"
        )
    return changes


def other_layout(saved: Identity, current: Identity) -> str:
    """How the work was cut up there and is here, in words; empty where alike: bit for bit the same on the CPU."""
    names = {"ranks": "ranks", "stage": "ZeRO stage", "threads": "threads a rank"}
    return ", ".join(
        f"{words} {getattr(saved, name)} there, {getattr(current, name)} here"
        for name, words in names.items()
        if getattr(saved, name) != getattr(current, name)
    )


def check_model(checkpoint: Path, saved: dict[str, Any], current: dict[str, Any]) -> None:
    """PretrainingError when the two are not the same model, but for dropout."""
    differences = {
        key: [saved.get(key), current.get(key)]
        for key in sorted({*saved, *current} - {*_DROPOUTS})
        if saved.get(key) != current.get(key)
    }
    if differences:
        raise PretrainingError(
            f"{checkpoint} is a checkpoint of another model ({_said(differences)}); choose another output.folder"
        )


def is_below(key: str, names: Sequence[str]) -> bool:
    """True when a dotted key is one of `names` or stands in a table that is."""
    return any(f"{key}.".startswith(f"{name}.") for name in names)


def _is_free(key: str) -> bool:
    return is_below(key, (*_FREE, *_DERIVED)) and not is_below(key, _NOT_FREE)


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A table's values by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _said(differences: dict[str, list[Any]]) -> str:
    """What differs, in words."""
    return ", ".join(
        key if key == "data.shards" else f"{key} {before} there, {now} here"
        for key, (before, now) in differences.items()
    )
