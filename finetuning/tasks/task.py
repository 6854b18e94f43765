"""A task is a TOML file: its kind, columns, labels, metric, splits, and where its data lie.

The benchmarks' own files are in `finetuning/recipes/`; a user's own task has the same form.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from finetuning.errors import FinetuningError

RECIPES = Path(__file__).resolve().parent.parent / "recipes"

Format = Literal["tsv", "jsonl", "conll", "squad", "swag"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Split(_Frozen):
    """One split: its local file, and what differs from the task's defaults in it."""

    file: str
    """File name, relative to the task's folder in the data."""
    also: tuple[str, ...] = ()
    """Other names under which the same file is in circulation."""
    folder: str | None = None
    """Folder of the split where it is not the task's."""
    hub_split: str | None = None
    """Name of the split on the hub; None: not there."""
    hub_config: str | None = None
    columns: dict[str, str | int] | None = None
    header: bool | None = None
    labelled: bool = True
    optional: bool = False
    """The split is passed over when its file is absent (test sets, diagnostics)."""
    submission: str | None = None
    """File name in a benchmark submission, for instance `CoLA.tsv`."""


class Hub(_Frozen):
    """Where the data lie on the Hugging Face hub, and how its columns and label numbers are called."""

    path: str
    config: str | None = None
    revision: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    labels: tuple[str, ...] = ()
    """The task's label for each class number of the hub's data."""


class Task(_Frozen):
    """A fine-tuning task."""

    name: str
    title: str = ""
    kind: str
    """What a row is and what is learnt; the room `kinds` knows each by this name."""
    format: Format
    folder: str | None = None
    """Folder of the task below the benchmark's root (`CoLA`); `--data` may name the root or the folder."""
    header: bool = True
    """TSV: the first line names the columns; otherwise columns are numbered from 0."""
    columns: dict[str, str | int] = Field(default_factory=dict)
    labels: tuple[str, ...] = ()
    """Classes in the order of the logits; token tasks may leave them out: taken from the training split."""
    malformed: Literal["refuse", "skip"] = "refuse"
    """TSV: what to do with a line whose number of fields is wrong; skipped lines are counted and reported."""
    metric: str
    """The main metric."""
    metrics: tuple[str, ...] = ()
    """Further metrics to report."""
    positive_label: str | None = None
    """The class that F1 counts; None: the last label."""
    score_range: tuple[float, float] | None = None
    """Regression: predictions are clipped to it in benchmark submissions."""
    sequence_length: int = Field(default=128, ge=8)
    max_query_length: int = Field(default=64, ge=1)
    document_stride: int = Field(default=128, ge=1)
    """Span tasks: pieces between the starts of two windows."""
    max_answer_length: int = Field(default=30, ge=1)
    n_best: int = Field(default=20, ge=1)
    unanswerable: bool = False
    """Span tasks: questions without an answer exist (SQuAD 2.0)."""
    choices: int = Field(default=4, ge=2)
    splits: dict[str, Split]
    dev: tuple[str, ...] = ("dev",)
    """Splits to score; the first is the main one."""
    test: tuple[str, ...] = ()
    """Splits to predict without scoring."""
    hub: Hub | None = None
    trained_by: str | None = None
    """This task has no training split: models of that task answer it (GLUE's diagnostics)."""
    home: Path | None = Field(default=None, exclude=True)
    """Folder of the TOML file of a user's own task."""

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.name):
            raise ValueError(f"name {self.name!r}: use letters, digits, '.', '_' and '-' only")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: a label stands there twice")
        if self.positive_label is not None and self.positive_label not in self.labels:
            raise ValueError(f"positive_label {self.positive_label!r} is not among the labels")
        if absent := [name for name in (*self.dev, *self.test) if name not in self.splits]:
            raise ValueError(f"splits: {', '.join(absent)} named in dev or test, but not defined")
        if not self.dev and self.trained_by is None:
            raise ValueError("dev: name at least one split to score")
        return self

    @property
    def is_pair(self) -> bool:
        """Whether a column has a second text."""
        return "text_b" in self.columns


def task_names() -> tuple[str, ...]:
    """Names of the tasks that come with the package, sorted."""
    return tuple(sorted(path.stem for path in RECIPES.glob("*.toml")))


def read_task(name_or_path: str | Path) -> tuple[Task, str]:
    """A benchmark task by name, or any task by the path of its TOML file; and the file.

    What its kind asks of it is not checked here: see `finetuning.kinds.loading.load_task`.

    Raises:
        FinetuningError: no such task or file, not TOML, or an unknown, missing or wrong key.
    """
    path = Path(name_or_path)
    own = path.suffix == ".toml"
    if not own:
        path = RECIPES / f"{name_or_path}.toml"
        if str(name_or_path) not in task_names():
            near = difflib.get_close_matches(str(name_or_path).lower(), task_names(), 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(task_names())}"
            raise FinetuningError(f"task {str(name_or_path)!r} is unknown; {hint} Or name a task's .toml file.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FinetuningError(f"{path}: no such task file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FinetuningError(f"{path}: not a TOML file: {error}") from None
    if own:
        content["home"] = path.resolve().parent
    return parse_table(content, str(path)), str(path)


def parse_table(content: dict[str, Any], where: str) -> Task:
    """Validate a task's table; `where` names its file in error messages."""
    content = dict(content)
    splits = content.get("splits")
    if isinstance(splits, dict):
        # `train = "train.jsonl"` is short for `train = {file = "train.jsonl"}`.
        content["splits"] = {
            name: {"file": split} if isinstance(split, str) else split for name, split in splits.items()
        }
    try:
        return Task.model_validate(content)
    except ValidationError as error:
        # A misspelt key explains a missing one, so it is named first.
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(first["loc"]), 1, 0.5)
            message = f"unknown key{f'; did you mean {near[0]!r}?' if near else ''}"
        raise FinetuningError(f"{where}: {f'{key}: ' if key else ''}{message}") from None


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    if len(location) > 1:
        return list(Hub.model_fields if location[0] == "hub" else Split.model_fields)
    return list(Task.model_fields)
