"""A task is a TOML file: its kind, columns, labels, metric, splits, and where its data lie.

The benchmarks' own files are in `finetuning/recipes/`; a user's own task has the same form.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from finetuning.errors import FinetuningError
from finetuning.tasks.records import Column, first_twice

RECIPES = Path(__file__).resolve().parent.parent / "recipes"

Format = Literal["tsv", "csv", "jsonl", "parquet", "conll", "squad", "swag"]
Context = Literal["sentence", "document"]
SUFFIXES: dict[str, Format] = {
    **{".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl"},
    **{".parquet": "parquet", ".conll": "conll"},
}
"""The format of a task whose file says none, by the suffix of its splits."""
SHORTEST_LENGTH = 8
"""Fewest pieces of a sequence: three are special."""
OTHER_NAMES = {"max_length": "sequence_length"}
"""Keys that may be called otherwise."""


def _named_classes(labels: Any) -> Any:
    """Class numbers as the texts that a file has: `labels = [0, 1]` for `["0", "1"]`."""
    if not isinstance(labels, list | tuple):
        return labels
    return tuple(str(label) if isinstance(label, int) and not isinstance(label, bool) else label for label in labels)


Labels = Annotated[tuple[str, ...], BeforeValidator(_named_classes)]


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
    columns: dict[str, Column] | None = None
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
    """TSV and CSV: the first line names the columns; otherwise columns are numbered from 0."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """TSV and CSV: what separates the fields, one character; None: a tab in TSV, a comma in CSV."""
    quoted: bool | None = None
    """TSV and CSV: fields may stand in quotation marks, doubled inside; None: only in CSV. GLUE's TSV has none."""
    columns: dict[str, Column] = Field(default_factory=dict)
    """The column of each role, by its name or by its position from 0 (negative: from the end), or a list of columns."""
    labels: Labels = ()
    """Classes in the order of the logits; token tasks may leave them out: taken from the training split."""
    malformed: Literal["refuse", "skip"] = "refuse"
    """TSV and CSV: what to do with a line whose number of fields is wrong. Skipped lines are counted and reported; in
    a split without labels they are refused all the same, for an answer is owed to every row."""
    metric: str
    """The main metric."""
    metrics: tuple[str, ...] = ()
    """Further metrics to report."""
    positive_label: str | None = None
    """The class that F1 counts; None: the last label."""
    score_range: tuple[float, float] | None = None
    """Regression: predictions are clipped to it in benchmark submissions."""
    sequence_length: int = Field(default=128, ge=SHORTEST_LENGTH)
    """Most pieces of a sequence, special pieces included; a task file may call it `max_length`."""
    max_query_length: int = Field(default=64, ge=1)
    document_stride: int = Field(default=128, ge=1)
    """Span tasks: pieces between the starts of two windows."""
    max_answer_length: int = Field(default=30, ge=1)
    n_best: int = Field(default=20, ge=1)
    unanswerable: bool = False
    """Span tasks: questions without an answer exist (SQuAD 2.0)."""
    choices: int = Field(default=4, ge=2)
    context: Context = "sentence"
    """Token tasks: what the model reads around a word. `document`: neighbouring sentences too, up to the length."""
    case_matters: bool = False
    """A tokenizer that makes small letters of capitals is noted, as where names are to be found."""
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
        if bad := [name for name in self.splits if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)]:
            raise ValueError(f"splits: {bad[0]!r} names files; use letters, digits, '.', '_' and '-' only")
        written = [split.submission for split in self.splits.values() if split.submission is not None]
        if bad := [name for name in written if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)]:
            raise ValueError(f"submission {bad[0]!r}: a file's name only; use letters, digits, '.', '_' and '-'")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels: a label stands there twice")
        if bad := [label for label in self.labels if not label or label != label.strip()]:
            raise ValueError(f"labels: {bad[0]!r} is empty or has blanks beside it")
        if self.score_range is not None and not self.score_range[0] < self.score_range[1]:
            raise ValueError("score_range: write the lowest score first, then the highest")
        if self.positive_label is not None and self.positive_label not in self.labels:
            raise ValueError(f"positive_label {self.positive_label!r} is not among the labels")
        if absent := [name for name in (*self.dev, *self.test) if name not in self.splits]:
            raise ValueError(f"splits: {', '.join(absent)} named in dev or test, but not defined")
        if "train" in (*self.dev, *self.test):
            raise ValueError("the train split is learnt; name another one in dev or test")
        if twice := first_twice(self.dev):
            raise ValueError(f"dev: {twice!r} stands there twice")
        if bare := [name for name in ("train", *self.dev) if name in self.splits and not self.splits[name].labelled]:
            raise ValueError(f"splits: {bare[0]} is learnt or scored, so it needs labels; take labelled = false out")
        if self.format not in ("tsv", "csv") and (self.delimiter is not None or self.quoted is not None):
            raise ValueError(f"delimiter and quoted are for format tsv and csv, not {self.format}")
        if self.delimiter in ('"', "\n", "\r", "\0"):
            raise ValueError(f"delimiter {self.delimiter!r} cannot separate fields; choose another character")
        if self.delimiter is None and (files := self._of_the_other_suffix()):
            raise ValueError(f"format {self.format!r}, but {files} is named otherwise; set delimiter to say how it is")
        if not self.dev and self.trained_by is None:
            raise ValueError("dev: name at least one split to score")
        return self

    def _of_the_other_suffix(self) -> str | None:
        """A file that is named as the other kind of table."""
        other = {"tsv": ".csv", "csv": ".tsv"}.get(self.format, "")
        return next((split.file for split in self.splits.values() if other and split.file.endswith(other)), None)

    @property
    def is_table(self) -> bool:
        """Whether the values of its records are texts in columns."""
        return self.format in ("tsv", "csv")

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
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(task_names())}."
            raise FinetuningError(f"task {str(name_or_path)!r} is unknown; {hint} Or name a task's .toml file.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FinetuningError(f"{path}: no such task file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FinetuningError(f"{path}: not a TOML file: {error}") from None
    if own:
        content["home"] = path.resolve().parent
        content.setdefault("name", path.stem)
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
        if "format" not in content and (found := _format(content["splits"])):
            content["format"] = found
    for other, key in OTHER_NAMES.items():
        if other in content and key in content:
            raise FinetuningError(f"{where}: {other} and {key} are the same; write one of them")
        if other in content:
            content[key] = content.pop(other)
    try:
        return Task.model_validate(content)
    except ValidationError as error:
        # A misspelt key explains a missing one, so it is named first.
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if key == "format" and first["type"] == "missing":
            message = f"the files of the splits do not say it alike by {', '.join(SUFFIXES)}; write format = …"
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(first["loc"][-1]), _known_keys(first["loc"]), 1, 0.5)
            message = f"unknown key{f'; did you mean {near[0]!r}?' if near else ''}"
        raise FinetuningError(f"{where}: {f'{key}: ' if key else ''}{message}") from None


def _format(splits: dict[str, Any]) -> Format | None:
    """The format that the suffix of every split's file says; None where they say none, or not the same."""
    files = [split.get("file") if isinstance(split, dict) else None for split in splits.values()]
    found = {SUFFIXES.get(Path(file).suffix) if isinstance(file, str) else None for file in files}
    return found.pop() if len(found) == 1 else None


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    if len(location) > 1:
        return list(Hub.model_fields if location[0] == "hub" else Split.model_fields)
    return [*Task.model_fields, *OTHER_NAMES]
