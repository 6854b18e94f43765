"""New text without labels, for a fine-tuned model to answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.conll import read_conll
from finetuning.tasks.readers.jsonl import jsonl_records
from finetuning.tasks.readers.records import rows_from_records
from finetuning.tasks.readers.squad_json import read_squad
from finetuning.tasks.readers.swag_csv import SWAG_COLUMNS, swag_records
from finetuning.tasks.readers.tsv import lines, tsv_records
from finetuning.tasks.rows import Row
from finetuning.tasks.task import Task

_ROLES = {
    "classification": ("text_a", "text_b"),
    "regression": ("text_a", "text_b"),
    "choice": ("text_a", "text_b", "endings"),
    "token": ("words",),
    "span": ("id", "question", "context"),
}


def read_new(task: Task, path: Path) -> list[Row]:
    """Rows without labels from a `.txt`, `.jsonl`, `.tsv`, `.csv` (SWAG) or `.json` (SQuAD) file, else CoNLL.

    Raises:
        FinetuningError: the file is empty, or lacks a column that the task needs.
    """
    suffix = path.suffix.lower()
    rows: list[Row]
    if suffix == ".json" and task.kind == "span":
        rows = list(read_squad(path, labelled=False))
    elif suffix == ".csv" and task.kind == "choice":
        rows = rows_from_records(swag_records(path, False), SWAG_COLUMNS, task, False)
    elif suffix == ".txt" and task.kind in ("classification", "regression", "token"):
        roles = [role for role in _ROLES[task.kind] if role != "text_b" or task.is_pair]
        rows = rows_from_records(_text_records(path, roles), {role: role for role in roles}, task, False)
    elif suffix == ".jsonl":
        rows = _from_records(jsonl_records(path), task)
    elif suffix == ".tsv":
        rows = _from_records(tsv_records(path, {}, header=True), task)
    elif task.kind == "token":
        rows = list(read_conll(path, task.columns, labelled=False))
    else:
        raise FinetuningError(
            f"{path}: {suffix or 'a file without extension'} does not fit a {task.kind} task; use .jsonl"
        )
    if not rows:
        raise FinetuningError(f"{path}: holds no rows to answer")
    return rows


def _text_records(path: Path, roles: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in lines(path):
        place = f"{path}: line {number}"
        if roles == ["words"]:
            yield place, {"words": line.split()}
            continue
        texts = line.split("\t")
        if len(texts) != len(roles):
            raise FinetuningError(f"{place} has {len(texts)} texts, the task needs {len(roles)}, separated by tabs")
        yield place, dict(zip(roles, texts, strict=True))


def _from_records(records: Iterable[tuple[str, dict[str, Any]]], task: Task) -> list[Row]:
    iterator = iter(records)
    first = next(iterator, None)
    if first is None:
        return []
    # A column may be called by its role or as in the task's own files.
    columns: dict[str, str | int] = {}
    for role in (*_ROLES[task.kind], "id"):
        named = task.columns.get(role, role)
        own = named if isinstance(named, str) else role
        if role in first[1] or own in first[1] or (role != "id" and role in task.columns):
            columns[role] = role if role in first[1] else own
        elif role in ("text_a", "words", "question", "context"):
            columns[role] = role
    return rows_from_records(chain([first], iterator), columns, task, False)
