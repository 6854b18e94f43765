"""The table of runs of a sweep: models × tasks × learning rates × batch sizes × epochs × seeds.

The table is a pure function of its configuration and its order is fixed, so an index into it (a Slurm array task) means
the same run on every machine.
"""

from __future__ import annotations

import difflib
import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from finetuning.errors import FinetuningError
from finetuning.run.result import RunSpec

TRANSFER_SOURCE = "mnli"
PAPER_TASKS = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")
"""GLUE as the paper reports it: without WNLI."""

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Epochs = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0)]
Option = bool | int | float | str

GRID_FIELDS = ("task", "model", "output", "data", "learning_rate", "batch_size", "epochs", "seed")
"""Fields of a RunSpec that the grid sets; every other one may be an option."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TaskOverride(_Frozen):
    """What differs for one task; None keeps the sweep's own value."""

    data: str | None = None
    learning_rates: tuple[Rate, ...] | None = Field(default=None, min_length=1)
    batch_sizes: tuple[Positive, ...] | None = Field(default=None, min_length=1)
    epochs: tuple[Epochs, ...] | None = Field(default=None, min_length=1)
    seeds: tuple[Seed, ...] | None = Field(default=None, min_length=1)
    options: dict[str, Option] = Field(default_factory=dict)


class SweepConfig(_Frozen):
    """A sweep. The default grid is the one of the BERT paper (Devlin et al. 2019, appendix A.3) with five seeds."""

    models: dict[str, str]
    """Label → folder of weights. Labels name folders and rows of the report."""
    tasks: tuple[str, ...] = Field(default=PAPER_TASKS, min_length=1)
    """Names of tasks, or paths of task files (`my-task.toml`)."""
    output: str
    data: str | None = None
    """Root of the benchmark's local files; `[task.NAME] data` names another one. None: from the hub."""
    learning_rates: tuple[Rate, ...] = Field(default=(5e-5, 4e-5, 3e-5, 2e-5), min_length=1)
    batch_sizes: tuple[Positive, ...] = Field(default=(32,), min_length=1)
    epochs: tuple[Epochs, ...] = Field(default=(3.0,), min_length=1)
    seeds: tuple[Seed, ...] = Field(default=(1, 2, 3, 4, 5), min_length=1)
    start_from_mnli: tuple[str, ...] = ()
    """Tasks that start from the best MNLI run of the same model (usual for RTE, MRPC and STS-B)."""
    retries: Annotated[int, Field(ge=0)] = 1
    """How often a run that crashed is started again before it is reported as failed."""
    first_seeds: Positive | None = None
    """With `keep_settings`: after this many seeds of every setting only the best settings of a task go on."""
    keep_settings: Positive | None = None
    options: dict[str, Option] = Field(default_factory=dict)
    """Further options of a run (`max_length = 128`): the fields of `finetuning.run.result.RunSpec`."""
    task: dict[str, TaskOverride] = Field(default_factory=dict)

    @field_validator("models")
    @classmethod
    def _labels_are_folder_names(cls, models: dict[str, str]) -> dict[str, str]:
        if not models:
            raise ValueError("at least one model is needed")
        for label in models:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", label):
                raise ValueError(f"the label {label!r} of a model must be letters, digits, '.', '_' and '-'")
        return models

    @model_validator(mode="after")
    def _consistent(self) -> SweepConfig:
        names = [task_name(task) for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError("a task is listed twice")
        for name in (*self.task, *self.start_from_mnli):
            if name not in names:
                raise ValueError(f"{name!r} is configured but not among the tasks of this sweep")
        if self.start_from_mnli and TRANSFER_SOURCE not in names:
            raise ValueError("start_from_mnli needs the task mnli in the same sweep")
        if TRANSFER_SOURCE in self.start_from_mnli:
            raise ValueError("mnli cannot start from itself")
        if (self.first_seeds is None) != (self.keep_settings is None):
            raise ValueError("first_seeds and keep_settings go together")
        return self


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


def task_name(task: str) -> str:
    """The name of a task given by name or as the path of a task file."""
    return Path(task).stem if task.endswith(".toml") else task


def plan_runs(config: SweepConfig) -> list[PlannedRun]:
    """All runs in order: wave 0 before wave 1; within a wave the first seed of every setting, then the second, …"""
    runs = []
    for label, model in config.models.items():
        for task in config.tasks:
            name = task_name(task)
            override = config.task.get(name, TaskOverride())
            options = _options(config.options) | _options(override.options)
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
    named = _underscored(options)
    for key in named:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known options: {', '.join(allowed)}"
            raise FinetuningError(f"unknown option {key!r} of a run; {hint}")
    return named


def _underscored(options: Mapping[str, Option]) -> dict[str, Option]:
    return {key.replace("-", "_"): value for key, value in options.items()}


def load_config(path: Path | None, overrides: Mapping[str, Any]) -> SweepConfig:
    """A sweep from a TOML file, from the command line, or both.

    The command line wins over the file's own keys, option by option in `options`; a `[task.NAME]` table wins over both.

    Raises FinetuningError for a missing file, broken TOML, an unknown key (naming the nearest one) or a bad value.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise FinetuningError(f"cannot read the sweep file {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise FinetuningError(f"the sweep file {path} is not valid TOML: {error}") from error
    where = f"in {path}" if path is not None else "on the command line"
    given = {key: value for key, value in overrides.items() if value is not None}
    options = values.get("options", {})
    if isinstance(options, Mapping):  # anything else is left for the validation to refuse
        options = _underscored(options) | _underscored(given.get("options", {}))
    values |= given | {"options": options}
    known = SweepConfig.model_fields
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
            raise FinetuningError(f"unknown key {key!r} {where}{hint}")
    try:
        return SweepConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the sweep"
        message = first["msg"].removeprefix("Value error, ")
        raise FinetuningError(f"bad value for {place} {where}: {message}") from error
