"""What a sweep is asked to do: a file's keys, or options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from finetuning.errors import FinetuningError
from finetuning.tasks.task import SHORTEST_LENGTH

TRANSFER_SOURCE = "mnli"
PAPER_TASKS = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")
"""GLUE as the paper reports it: without WNLI."""

Positive = Annotated[int, Field(ge=1)]
Length = Annotated[int, Field(ge=SHORTEST_LENGTH)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Epochs = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0)]
Option = bool | int | Annotated[float, Field(allow_inf_nan=True)] | str
"""What an option may be is said by `RunSpec`, of its own field."""

GRIDS: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "one": {"learning_rates": (3e-5,), "batch_sizes": (32,), "epochs": (3.0,), "seeds": (1, 2, 3)},
    "paper": {
        "learning_rates": (5e-5, 4e-5, 3e-5, 2e-5),
        "batch_sizes": (32,),
        "epochs": (3.0,),
        "seeds": (1, 2, 3, 4, 5),
    },
    "appendix": {
        "learning_rates": (5e-5, 3e-5, 2e-5),
        "batch_sizes": (16, 32),
        "epochs": (2.0, 3.0, 4.0),
        "seeds": (1, 2, 3, 4, 5),
    },
}
"""What is tried where a sweep's keys do not say. `one`: the settings of a single run. `paper`: Devlin et al. 2019, 4.1,
for GLUE. `appendix`: the ranges of its appendix A.3. The paper does not number its seeds: five are this project's."""

GRID_FIELDS = ("task", "model", "output", "data", "learning_rate", "batch_size", "epochs", "seed")
"""Fields of a RunSpec that the grid sets; every other one may be an option."""


def _underscored(options: Any) -> Any:
    """Names as `RunSpec` has them; what is no table is left for the validation to refuse."""
    if not isinstance(options, Mapping):
        return options
    names = [key.replace("-", "_") for key in options]
    if {"max_length", "sequence_length"} <= set(names):
        raise ValueError("max_length and sequence_length are the same; write one of them")
    return {"sequence_length" if n == "max_length" else n: v for n, v in zip(names, options.values(), strict=True)}


def _several(value: Any) -> Any:
    """One value, or a text with commas, for a list of them: `--task.rte.epochs 3` as well as `[3]`."""
    if isinstance(value, str):
        return value.split(",")
    return (value,) if isinstance(value, int | float) else value


Options = Annotated[dict[str, Option], BeforeValidator(_underscored)]
Rates = Annotated[tuple[Rate, ...], BeforeValidator(_several)]
Sizes = Annotated[tuple[Positive, ...], BeforeValidator(_several)]
Lengths = Annotated[tuple[Epochs, ...], BeforeValidator(_several)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_several)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class TaskOverride(_Frozen):
    """What differs for one task; None keeps the sweep's own value."""

    data: str | None = None
    learning_rates: Rates | None = Field(default=None, min_length=1)
    batch_sizes: Sizes | None = Field(default=None, min_length=1)
    epochs: Lengths | None = Field(default=None, min_length=1)
    seeds: Seeds | None = Field(default=None, min_length=1)
    options: Options = Field(default_factory=dict)


class SweepConfig(_Frozen):
    """A sweep. Without a word on its grid it is one setting of each task with three seeds."""

    models: dict[str, str]
    """Label → folder of weights. Labels name folders and rows of the report."""
    tasks: tuple[str, ...] = Field(default=PAPER_TASKS, min_length=1, json_schema_extra={"separator": ","})
    """Names of tasks, or paths of task files (`my-task.toml`)."""
    output: str
    """Folder of the sweep: its runs and its report."""
    data: str | None = None
    """Root of the benchmark's local files; `[task.NAME] data` names another one. Left out: the
    Hugging Face hub."""
    grid: Literal["one", "paper", "appendix"] = "one"
    """What the next four keys are where they are left out. one: a single setting, three seeds. paper: the BERT paper's
    for GLUE, four learning rates and five seeds. appendix: its ranges, 18 settings and five seeds."""
    learning_rates: tuple[Rate, ...] = Field(default=(3e-5,), min_length=1)
    """Each of these peaks of the learning rate is tried …"""
    batch_sizes: tuple[Positive, ...] = Field(default=(32,), min_length=1)
    """… with each of these numbers of examples per step …"""
    epochs: tuple[Epochs, ...] = Field(default=(3.0,), min_length=1)
    """… for each of these numbers of passes over the rows …"""
    seeds: tuple[Seed, ...] = Field(default=(1, 2, 3), min_length=1)
    """… and with each of these seeds."""
    start_from_mnli: tuple[str, ...] = Field(default=(), json_schema_extra={"separator": ","})
    """Tasks that start from the best MNLI run of the same model (usual for RTE, MRPC and STS-B)."""
    mnli_run: Literal["best", "same seed"] = "best"
    """Which MNLI run `start_from_mnli` means: the best of all, so that one start is shared by all seeds, or the best of
    the same seed, so that the starts differ as the seeds do."""
    sequence_length: Length | None = Field(default=None, json_schema_extra={"also": "max_length"})
    """Most pieces per sequence in all tasks; left out: each task's own. An option of a run goes before it."""
    retries: Annotated[int, Field(ge=0)] = 1
    """How often a run that crashed is started again before it is reported as failed."""
    first_seeds: Positive | None = None
    """With `keep_settings`: after this many seeds of every setting only the best settings of a task go on."""
    keep_settings: Positive | None = None
    """With `first_seeds`: how many settings of a task go on."""
    options: Options = Field(default_factory=dict)
    """Further options of a run, as `--options.dropout 0.2`: those of `finetuning.main`."""
    task: dict[str, TaskOverride] = Field(default_factory=dict)
    """What differs for one task, as `--task.rte.epochs 10`: data, options and the lists above."""

    @model_validator(mode="before")
    @classmethod
    def _grid_fills_in(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(grid := given.get("grid"), str) or grid not in GRIDS:
            return given
        return {**GRIDS[grid], **given}

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
        if self.mnli_run == "same seed":
            self._check_seeds_of_mnli()
        if (self.first_seeds is None) != (self.keep_settings is None):
            raise ValueError("first_seeds and keep_settings go together")
        return self

    def _check_seeds_of_mnli(self) -> None:
        have = set(self.task.get(TRANSFER_SOURCE, TaskOverride()).seeds or self.seeds)
        for name in self.start_from_mnli:
            seeds = self.task.get(name, TaskOverride()).seeds or self.seeds
            if absent := [seed for seed in seeds if seed not in have]:
                raise ValueError(f'mnli_run "same seed": {name} has the seed {absent[0]}, which mnli has not')


def task_name(task: str) -> str:
    """The name of a task given by name or as the path of a task file."""
    return Path(task).stem if task.endswith(".toml") else task


def labelled_models(text: str) -> dict[str, str]:
    """Label → folder from `FOLDER,LABEL=FOLDER`; FinetuningError where two have the same label."""
    models: dict[str, str] = {}
    for part in text.split(","):
        label, sign, folder = part.partition("=")
        if not sign:
            label, folder = _label(part), part
        if label in models:
            raise FinetuningError(f"--models: two models are called {label!r}: write LABEL=FOLDER for each")
        models[label] = folder
    return models


def _label(folder: str) -> str:
    path = Path(folder.removeprefix("random:"))
    name = path.parent.name if path.name in ("export", "model") and path.parent.name else path.stem or "model"
    return f"random-{name}" if folder.startswith("random:") else name
