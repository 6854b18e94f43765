"""The records of a file with new text, without labels, for a fine-tuned model to answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.conll import CONLL_COLUMNS, conll_records
from finetuning.tasks.readers.jsonl import jsonl_records
from finetuning.tasks.readers.lines import STANDARD_INPUT, lines
from finetuning.tasks.readers.parquet import parquet_records
from finetuning.tasks.readers.remarks import Remarks
from finetuning.tasks.readers.splits import Found, layout_of
from finetuning.tasks.readers.squad_json import SQUAD_COLUMNS, squad_records
from finetuning.tasks.readers.swag_csv import SWAG_COLUMNS, swag_records
from finetuning.tasks.readers.tables import Layout, table_records
from finetuning.tasks.records import Column, names_in
from finetuning.tasks.task import Task

MAY_BE_LEFT_OUT = ("id", "document")
"""Roles of a task's columns that a file with new text need not have."""


def find_new(
    task: Task,
    path: Path,
    formats: Collection[str],
    roles: Sequence[str],
    further: Sequence[str],
    line_roles: Sequence[str],
    suffix: str | None = None,
) -> Found:
    """The records of a `.txt`, `.jsonl`, `.parquet`, `.tsv`, `.csv` or `.json` (SQuAD) file, else CoNLL.

    A table is written as those of the task where it has the same format, else as its suffix says: `.csv` with commas
    and quoting, `.tsv` with tabs and none; its first line names the columns.

    Args:
        task: a task whose own column names may be used beside the names of the roles.
        path: the file.
        formats: layouts that the task's kind has.
        roles: what a row must have.
        further: what a row may have.
        line_roles: what stands in a line of a `.txt` file, separated by tabs (`words`: by blanks); none: no such file.
        suffix: how it is written, as `.csv`; None: as its name says.

    Raises:
        FinetuningError: the kind has no such file.
    """
    suffix, remarks = path.suffix.lower() if suffix is None else suffix, Remarks()
    if suffix == ".parquet" and path is STANDARD_INPUT:
        raise FinetuningError(f"{path}: Parquet is read from its end, which a stream has not; give a file")
    if suffix == ".json" and "squad" in formats:
        return Found(squad_records(path, labelled=False, remarks=remarks), SQUAD_COLUMNS, str(path), remarks)
    if suffix == ".csv" and task.format == "swag":
        return Found(swag_records(path, labelled=False, remarks=remarks), SWAG_COLUMNS, str(path), remarks)
    if suffix == ".txt" and line_roles:
        return Found(_text_records(path, line_roles), {role: role for role in line_roles}, str(path))
    if suffix == ".jsonl":
        return _named(jsonl_records(path, remarks), task, roles, further, str(path), remarks)
    names = {str(name) for role in (*roles, *further) for name in (role, *names_in(task.columns.get(role, role)))}
    if suffix == ".parquet":
        return _named(parquet_records(path, {}, also=names), task, roles, further, str(path), remarks)
    if suffix in (".tsv", ".csv") and suffix[1:] in formats:
        layout = Layout(",", quoted=True) if suffix == ".csv" else Layout()
        if task.format == suffix[1:]:
            layout = replace(layout_of(task), header=True)
        records = table_records(path, {}, layout, remarks, also=names)
        return _named(records, task, roles, further, str(path), remarks)
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
    remarks: Remarks,
) -> Found:
    """A column may be called by its role or as in the task's own files; the first record tells which."""
    iterator = iter(records)
    first = next(iterator, None)
    if first is None:
        return Found((), {}, source)
    columns: dict[str, Column] = {}
    for role in (*roles, *further):
        own = task.columns.get(role, role)
        if any(isinstance(name, int) for name in names_in(own)):
            own = role
        is_there = all(name in first[1] for name in names_in(own))
        if role in first[1] or is_there or (role not in MAY_BE_LEFT_OUT and role in task.columns):
            columns[role] = role if role in first[1] else own
        elif role in roles:
            columns[role] = role
    return Found(chain([first], iterator), columns, source, remarks)
