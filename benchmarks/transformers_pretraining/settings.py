"""What a run of the peer is asked to do: a recipe with its budget, and what only the peer has a choice of."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pretraining.configuration.recipe import load_recipe
from pretraining.configuration.tables import InitOptions, Recipe
from pretraining.errors import PretrainingError
from pretraining.optimization.schedules import MOST_STEPS
from pretraining.run.state_file import read_state

Loop = Literal["trainer", "plain"]
LOOPS: tuple[Loop, Loop] = ("trainer", "plain")
MICRO_BATCH_SIZE = 32
"""Where the recipe leaves it to the device: scores of all tokens are [32 · 128, vocabulary], half a gigabyte."""


@dataclass(frozen=True)
class Settings:
    """One run. The recipe's budget is that of the run."""

    recipe: Recipe
    shards: tuple[Path, ...]
    micro_batch_size: int  # a divisor of the recipe's batch size
    loop: Loop
    threads: int
    is_grouped: bool  # sequences of one length come together

    @property
    def micro_batches(self) -> int:
        """Forward passes of a step."""
        return self.recipe.training.batch_size // self.micro_batch_size

    def identity(self, fingerprints: list[str]) -> dict[str, Any]:
        """What the outcome depends on; `fingerprints` are the shards'."""
        tables = self.recipe.model_dump(mode="json", by_alias=True, include=_READ, exclude={"data": {"shards"}})
        return {
            "recipe": tables,
            "shards": fingerprints,
            "micro_batch_size": self.micro_batch_size,
            "loop": self.loop,
            "threads": self.threads,
            "group_by_length": self.is_grouped,
        }


_READ = {"model", "init", "data", "training", "optimizer", "schedule", "evaluation"}


def read_settings(given: argparse.Namespace) -> Settings:
    """The settings of a command line; PretrainingError for what is wrong, or what the peer does not do."""
    changes = []
    for text in given.set:
        key, equals, value = text.partition("=")
        if not equals:
            raise PretrainingError(f"--set {text}: write KEY=VALUE, as --set optimizer.learning_rate=3e-4")
        changes.append((key, value))
    recipe = load_recipe(given.config, changes)
    seconds = given.seconds if given.as_long_as is None else trained_seconds(given.as_long_as)
    if seconds is not None:
        if recipe.schedule.kind not in ("linear", "time"):
            raise PretrainingError(
                f"--seconds: a rate of kind {recipe.schedule.kind!r} does not fall over seconds; give --steps, or "
                "--set schedule.kind=linear"
            )
        # The seconds alone bound the run: a slower side must not be stopped by the other's number of steps.
        budget = {"schedule.kind": "time", "schedule.seconds": seconds, "training.steps": MOST_STEPS}
        recipe = load_recipe(given.config, [*changes, *((key, str(value)) for key, value in budget.items())])
    elif given.steps is not None:
        if recipe.schedule.kind == "time":
            raise PretrainingError(
                f"--steps: the budget of {given.config} is schedule.seconds; give --seconds, or --set schedule.kind"
            )
        recipe = load_recipe(given.config, [*changes, ("training.steps", str(given.steps))])
    if given.init is not None:
        recipe = recipe.model_copy(update={"init": _init(given.init, recipe)})
    _require_known(recipe)
    size = _micro_batch_size(given.micro_batch_size or recipe.training.micro_batch_size, recipe.training.batch_size)
    return Settings(recipe, tuple(given.shards), size, given.loop, given.threads, not given.no_grouping)


def trained_seconds(run: Path) -> float:
    """Seconds of training that a finished run of ours had, all its starts together; PretrainingError without them."""
    if read_state(run).get("status") != "finished":
        raise PretrainingError(f"--as-long-as {run}: is no run that has finished; give the folder of one, or --seconds")
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return float(max(line["seconds"] for line in lines if "event" not in line))


def _micro_batch_size(asked: int | Literal["auto"], batch: int) -> int:
    if asked == "auto":
        return max(size for size in range(1, min(batch, MICRO_BATCH_SIZE) + 1) if batch % size == 0)
    if batch % asked:
        raise PretrainingError(
            f"training.batch_size {batch} is not a multiple of {asked} sequences per forward pass; give another "
            "--micro-batch-size"
        )
    return asked


def _init(name: str, recipe: Recipe) -> InitOptions:
    if name in ("published", "neighbours"):
        return InitOptions.model_validate({"scheme": name})
    if not name.strip():
        raise PretrainingError("--init names no folder; give published, neighbours or a folder, or leave it out")
    return InitOptions.model_validate({"from": name, "new_heads": recipe.init.new_heads})


def _require_known(recipe: Recipe) -> None:
    """PretrainingError for what a recipe may say and the peer has not: it would be compared with something else."""
    unknown = {
        'optimizer.name = "lamb"': recipe.optimizer.name != "adamw",
        "optimizer.bias_correction = false": not recipe.optimizer.bias_correction,
        "data.weights": bool(recipe.data.weights),
        "init.moments": recipe.init.moments,
        "model.activation_checkpointing": recipe.model.activation_checkpointing,
        "model.compile = true": recipe.model.compile == "true",
        "training.linear_layers": recipe.training.linear_layers is not None,
        'training.precision = "fp16"': recipe.training.precision == "fp16",
        "training.stop_at": recipe.training.stop_at is not None,
    }
    for name, is_set in unknown.items():
        if is_set:
            raise PretrainingError(f"{name}: transformers is run without it here; change the recipe, or use --set")
