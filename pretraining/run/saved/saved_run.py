"""What a run left in its folder, read without the ranks and shards that it needed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig
from pretraining.run.checkpoint.files import checkpoint_folder, checkpoint_steps, damaged_file


@dataclass(frozen=True)
class SavedRun:
    """A run's folder: its recipe, and of one checkpoint the model and the number of ranks that wrote it."""

    folder: Path
    recipe: Recipe
    checkpoint: Path
    model: BertConfig
    ranks: int


def read_run(folder: Path, step: int | None = None) -> SavedRun:
    """The run in `folder` with its checkpoint of `step`, or the newest; PretrainingError where there is none."""
    recipe = read_recipe(folder)
    steps = checkpoint_steps(checkpoint_folder(folder))
    if not steps:
        raise PretrainingError(f"{folder} has no checkpoint yet; train on, until checkpoint.every or a stop writes one")
    if step is not None and step not in steps:
        known = ", ".join(map(str, sorted(steps)))
        raise PretrainingError(f"{folder} has no checkpoint of step {step}; there are those of {known}")
    checkpoint = checkpoint_folder(folder) / f"step{max(steps) if step is None else step}"
    identity = _read(checkpoint / "trainer.json", f"{checkpoint} is damaged")["identity"]
    try:
        model = BertConfig.model_validate(identity["model"])
        return SavedRun(folder, recipe, checkpoint, model, int(identity["ranks"]))
    except (ValidationError, KeyError) as error:
        raise PretrainingError(f"{folder} was written by another version of this program: {error}") from error


def read_recipe(folder: Path) -> Recipe:
    """The recipe of the run in `folder`; PretrainingError where there is none."""
    try:
        return Recipe.model_validate(_read(folder / "recipe.json", f"{folder} is no folder of a run"))
    except ValidationError as error:
        raise PretrainingError(f"{folder} was written by another version of this program: {error}") from error


def require_whole(checkpoint: Path) -> None:
    """PretrainingError that names the first file which is not as the checkpoint's manifest says."""
    if damaged := damaged_file(checkpoint):
        raise PretrainingError(
            f"{checkpoint} is damaged: {damaged} is not as manifest.json there says; choose another with --step"
        )


def _read(path: Path, what: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PretrainingError(f"{what}: {path.name} cannot be read ({error})") from error
