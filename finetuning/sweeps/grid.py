"""The table of runs of a sweep: models × tasks × learning rates × batch sizes × epochs × seeds.

The table is a pure function of its configuration and its order is fixed, so an index into it (a Slurm array task) means
the same run on every machine.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from finetuning.errors import FinetuningError
from finetuning.run.specification import RunSpec
from finetuning.sweeps.config import (
    GRID_FIELDS,
    TRANSFER_SOURCE,
    Option,
    SweepConfig,
    TaskOverride,
    task_name,
)

Wave = Literal[0, 1]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of the table. `folder` is relative to the sweep's output.

    `wave` 1 waits for all of MNLI's runs; `seed_place` is the seed's place among the seeds of its task.
    """

    model_label: str
    model: str
    task: str
    learning_rate: float
    batch_size: int
    epochs: float
    seed: int
    seed_place: int
    data: str | None
    options: tuple[tuple[str, Option], ...]
    wave: Wave

    @property
    def task_name(self) -> str:
        return task_name(self.task)

    @property
    def setting(self) -> tuple[str, str, float, int, float]:
        """Everything but the seed: runs of one setting differ only in their randomness."""
        return (self.model_label, self.task_name, self.learning_rate, self.batch_size, self.epochs)

    @property
    def folder(self) -> Path:
        run = f"lr{self.learning_rate:g}-batch{self.batch_size}-epochs{self.epochs:g}-seed{self.seed}"
        return Path(self.model_label) / self.task_name / (run + ("-from-mnli" if self.wave else ""))

    def spec(self, output: Path, model: str | None = None) -> RunSpec:
        """The specification of this run in the sweep folder `output`; `model` replaces the starting weights."""
        try:
            return RunSpec.model_validate(
                dict(self.options)
                | {
                    "task": self.task,
                    "model": model or self.model,
                    "output": output / self.folder,
                    "data": self.data,
                    "learning_rate": self.learning_rate,
                    "batch_size": self.batch_size,
                    "epochs": self.epochs,
                    "seed": self.seed,
                }
            )
        except ValidationError as error:
            first = error.errors()[0]
            option = ".".join(str(part) for part in first["loc"])
            raise FinetuningError(f"bad value for the option {option!r} of {self.task_name}: {first['msg']}") from error


def plan_runs(config: SweepConfig) -> list[PlannedRun]:
    """All runs in order: wave 0 before wave 1; within a wave the first seed of every setting, then the others."""
    runs = []
    for label, model in config.models.items():
        for task in config.tasks:
            name = task_name(task)
            override = config.task.get(name, TaskOverride())
            options: dict[str, Option] = (
                {} if config.sequence_length is None else {"sequence_length": config.sequence_length}
            )
            options |= _options(config.options) | _options(override.options)
            if name == TRANSFER_SOURCE and config.start_from_mnli:
                options["save_model"] = True
            data = override.data or config.data
            grid = itertools.product(
                enumerate(override.seeds or config.seeds),
                override.learning_rates or config.learning_rates,
                override.batch_sizes or config.batch_sizes,
                override.epochs or config.epochs,
            )
            for (place, seed), rate, batch, epochs in grid:
                wave: Wave = 1 if name in config.start_from_mnli else 0
                items = tuple(sorted(options.items()))
                runs.append(PlannedRun(label, model, task, rate, batch, epochs, seed, place, data, items, wave))
    if len({run.folder for run in runs}) < len(runs):
        raise FinetuningError("the sweep lists a learning rate, batch size, number of epochs or seed twice: remove one")
    return sorted(runs, key=lambda run: (run.wave, run.seed_place))  # stable: keeps models, tasks and rates in order


def _options(options: Mapping[str, Option]) -> dict[str, Option]:
    allowed = [field for field in RunSpec.model_fields if field not in GRID_FIELDS]
    for key in options:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known options: {', '.join(allowed)}"
            raise FinetuningError(f"unknown option {key!r} of a run; {hint}")
    return dict(options)
