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
from finetuning.tasks.readers.squad_json import SQUAD_COLUMNS, squad_records
from finetuning.tasks.readers.swag_csv import SWAG_COLUMNS, swag_records
from finetuning.tasks.readers.tsv import tsv_records
from finetuning.tasks.records import Columns
from finetuning.tasks.task import Split, Task


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a split or a file, not yet read: they are read when they are asked for, once."""

    records: Iterable[tuple[str, dict[str, Any]]]
    """Place and values of each."""
    columns: Columns
    source: str
    """Where they come from, for messages."""
    skipped: list[str] = field(default_factory=list)
    """The places that were passed over, once all is read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over, in words."""
        if not self.skipped:
            return ()
        name = Path(self.source).name
        return (f"{name}: {len(self.skipped)} malformed lines passed over, the first at {self.skipped[0]}",)


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
    if task.format == "conll":
        return Found(conll_records(path, columns, split.labelled), CONLL_COLUMNS, str(path))
    if task.format == "squad":
        return Found(squad_records(path, split.labelled), SQUAD_COLUMNS, str(path))
    if task.format == "swag":
        return Found(swag_records(path, split.labelled), SWAG_COLUMNS, str(path))
    if task.format == "jsonl":
        return Found(jsonl_records(path), columns, str(path))
    header = split.header if split.header is not None else task.header
    skipped: list[str] = []
    return Found(tsv_records(path, columns, header, task.malformed, skipped), columns, str(path), skipped)
