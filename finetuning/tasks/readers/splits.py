"""The records of a task's splits: from local files in the benchmark's own layout, or from the hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.conll import CONLL_COLUMNS, conll_records
from finetuning.tasks.readers.hub import hub_records
from finetuning.tasks.readers.jsonl import jsonl_records
from finetuning.tasks.readers.parquet import parquet_records
from finetuning.tasks.readers.remarks import Remarks
from finetuning.tasks.readers.squad_json import SQUAD_COLUMNS, squad_records
from finetuning.tasks.readers.swag_csv import SWAG_COLUMNS, swag_records
from finetuning.tasks.readers.tables import Layout, table_records
from finetuning.tasks.records import Columns
from finetuning.tasks.task import Split, Task

LABEL_ROLES = ("label", "labels", "tags", "answers")
"""What a table without labels need not have."""
OWN_NAMES = (
    "id",
    "text_a",
    "text_b",
    "endings",
    "label",
    "words",
    "tags",
    "document",
    "question",
    "context",
    "answers",
)
"""What a column may be called that the task file need not name."""


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a split or a file, not yet read: they are read when they are asked for, once."""

    records: Iterable[tuple[str, dict[str, Any]]]
    """Place and values of each."""
    columns: Columns
    source: str
    """Where they come from, for messages."""
    remarks: Remarks = field(default_factory=Remarks)
    """What was passed over, once all is read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over, in words."""
        return self.remarks.notes(Path(self.source).name)


def layout_of(task: Task, split: Split | None = None) -> Layout:
    """How a table of the task is written.

    A line may be passed over only where its row is trained on or scored: an answer is owed to every row of the others.
    """
    is_csv = task.format == "csv"
    header = task.header if split is None or split.header is None else split.header
    return Layout(
        delimiter=task.delimiter or ("," if is_csv else "\t"),
        quoted=is_csv if task.quoted is None else task.quoted,
        header=header,
        labels=task.labels,
        malformed=task.malformed if split is not None and split.labelled else "refuse",
    )


def find_file(task: Task, split: Split, data: Path) -> Path | None:
    """The file of a split below `data`, which is either the benchmark's root folder or the task's own folder."""
    if split.folder is not None:
        folders = [data / split.folder, data.parent / split.folder]
    elif task.folder is not None:
        folders = [data / task.folder, data]
    else:
        folders = [data]
    for folder in folders:
        for name in (split.file, *split.also):
            if (folder / name).is_file():
                return folder / name
    return None


def find_split(
    task: Task, name: str, data: Path | None, limit: int | None = None, class_role: str | None = None
) -> Found | None:
    """The records of one split; None where the task calls the split optional and the data do not have it.

    Args:
        task: the task.
        name: a key of `task.splits`.
        data: folder of the local files; None: the folder of a user's own task, or else the hub.
        limit: no more rows than these are wanted.
        class_role: the role whose column has class numbers on the hub, where the task names its classes.

    Raises:
        FinetuningError: the file is missing, or the hub does not have the split.
    """
    split = task.splits[name]
    folder = data if data is not None else task.home
    if folder is None:
        records = hub_records(task, split, name, limit, class_role)
        return None if records is None or task.hub is None else Found(records, dict(task.hub.columns), task.name)
    path = find_file(task, split, folder)
    if path is not None:
        return records_of_file(task, path, split)
    if split.optional:
        return None
    names = " or ".join((split.file, *split.also))
    below = f" nor in {task.folder}/ below it" if task.folder else ""
    raise FinetuningError(
        f"{folder}: no {names} there{below}, the {name} split of {task.name}; set --data to the folder that has it"
    )


def records_of_file(task: Task, path: Path, split: Split) -> Found:
    """The records of one file in the task's format."""
    columns: Columns = split.columns if split.columns is not None else task.columns
    remarks, source = Remarks(), str(path)
    if task.format == "conll":
        return Found(conll_records(path, columns, split.labelled), CONLL_COLUMNS, source)
    if task.format == "squad":
        return Found(squad_records(path, split.labelled, remarks), SQUAD_COLUMNS, source, remarks)
    if task.format == "swag":
        return Found(swag_records(path, split.labelled, remarks), SWAG_COLUMNS, source, remarks)
    if task.format == "jsonl":
        return Found(jsonl_records(path, remarks), columns, source, remarks)
    wanted = {role: column for role, column in columns.items() if split.labelled or role not in LABEL_ROLES}
    if task.format == "parquet":
        return Found(parquet_records(path, wanted, also=OWN_NAMES), columns, source)
    return Found(table_records(path, wanted, layout_of(task, split), remarks), columns, source, remarks)
