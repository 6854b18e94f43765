"""The records of a file with new text, without labels, for a fine-tuned model to answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.conll import CONLL_COLUMNS, conll_records
from finetuning.tasks.readers.jsonl import jsonl_records
from finetuning.tasks.readers.splits import Found
from finetuning.tasks.readers.squad_json import SQUAD_COLUMNS, squad_records
from finetuning.tasks.readers.swag_csv import SWAG_COLUMNS, swag_records
from finetuning.tasks.readers.tsv import lines, tsv_records
from finetuning.tasks.task import Task


def find_new(
    task: Task,
    path: Path,
    formats: Collection[str],
    roles: Sequence[str],
    further: Sequence[str],
    line_roles: Sequence[str],
) -> Found:
    """The records of a `.txt`, `.jsonl`, `.tsv`, `.csv` (SWAG) or `.json` (SQuAD) file, else CoNLL.

    Args:
        task: a task whose own column names may be used beside the names of the roles.
        path: the file.
        formats: layouts that the task's kind has.
        roles: what a row must have.
        further: what a row may have.
        line_roles: what stands in a line of a `.txt` file, separated by tabs (`words`: by blanks); none: no such file.

    Raises:
        FinetuningError: the kind has no such file.
    """
    suffix = path.suffix.lower()
    if suffix == ".json" and "squad" in formats:
        return Found(squad_records(path, labelled=False), SQUAD_COLUMNS, str(path))
    if suffix == ".csv" and "swag" in formats:
        return Found(swag_records(path, labelled=False), SWAG_COLUMNS, str(path))
    if suffix == ".txt" and line_roles:
        return Found(_text_records(path, line_roles), {role: role for role in line_roles}, str(path))
    if suffix == ".jsonl":
        return _named(jsonl_records(path), task, roles, further, str(path))
    if suffix == ".tsv":
        return _named(tsv_records(path, {}, header=True), task, roles, further, str(path))
    if "conll" in formats:
        return Found(conll_records(path, task.columns, labelled=False), CONLL_COLUMNS, str(path))
    raise FinetuningError(f"{path}: {suffix or 'a file without extension'} does not fit a {task.kind} task; use .jsonl")


def _text_records(path: Path, roles: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in lines(path):
        place = f"{path}: line {number}"
        if tuple(roles) == ("words",):
            yield place, {"words": line.split()}
            continue
        texts = line.split("\t")
        if len(texts) != len(roles):
            raise FinetuningError(f"{place} has {len(texts)} texts, the task needs {len(roles)}, separated by tabs")
        yield place, dict(zip(roles, texts, strict=True))


def _named(
    records: Iterable[tuple[str, dict[str, Any]]],
    task: Task,
    roles: Sequence[str],
    further: Sequence[str],
    source: str,
) -> Found:
    """A column may be called by its role or as in the task's own files; the first record tells which."""
    iterator = iter(records)
    first = next(iterator, None)
    if first is None:
        return Found((), {}, source)
    columns: dict[str, str | int] = {}
    for role in (*roles, *further):
        named = task.columns.get(role, role)
        own = named if isinstance(named, str) else role
        if role in first[1] or own in first[1] or (role != "id" and role in task.columns):
            columns[role] = role if role in first[1] else own
        elif role in roles:
            columns[role] = role
    return Found(chain([first], iterator), columns, source)
