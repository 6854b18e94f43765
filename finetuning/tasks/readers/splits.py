"""Reading a task's splits from local files in the benchmark's own layout, or from the hub."""

from __future__ import annotations

from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.conll import read_conll
from finetuning.tasks.readers.hub import read_hub
from finetuning.tasks.readers.jsonl import jsonl_records
from finetuning.tasks.readers.records import rows_from_records
from finetuning.tasks.readers.squad_json import read_squad
from finetuning.tasks.readers.swag_csv import SWAG_COLUMNS, swag_records
from finetuning.tasks.readers.tsv import tsv_records
from finetuning.tasks.rows import Row, SplitRows
from finetuning.tasks.task import Split, Task

__all__ = ["find_file", "read_file", "read_split"]


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


def read_split(task: Task, name: str, data: Path | None, limit: int | None = None) -> SplitRows | None:
    """Read one split; None where the task calls the split optional and the data do not have it.

    Args:
        task: the task.
        name: a key of `task.splits`.
        data: folder of the local files; None: the folder of a user's own task, or else the hub.
        limit: only the first so many rows.

    Raises:
        FinetuningError: the file, a column or a label is missing or wrong, or the split is empty.
    """
    split = task.splits[name]
    folder = data if data is not None else task.home
    notes: tuple[str, ...]
    if folder is None:
        from_hub = read_hub(task, split, name, limit)
        if from_hub is None:
            return None
        rows, notes = from_hub, ()
    else:
        path = find_file(task, split, folder)
        if path is None:
            if split.optional:
                return None
            names = " or ".join((split.file, *split.also))
            below = f" nor in {task.folder}/ below it" if task.folder else ""
            raise FinetuningError(
                f"{folder}: no {names} there{below}, the {name} split of {task.name}; "
                "set --data to the folder that has it"
            )
        rows, notes = read_file(task, path, split, limit)
    if not rows:
        raise FinetuningError(
            f"{folder or task.name}: the {name} split of {task.name} is empty; it needs at least one row"
        )
    return SplitRows(name, tuple(rows), split.labelled, tuple(notes))


def read_file(task: Task, path: Path, split: Split, limit: int | None = None) -> tuple[list[Row], tuple[str, ...]]:
    """Read one file in the task's format: its rows, and notes on what was passed over."""
    skipped: list[str] = []
    columns = split.columns if split.columns is not None else task.columns
    rows: list[Row]
    if task.format == "conll":
        rows = list(read_conll(path, columns, split.labelled, limit))
    elif task.format == "squad":
        rows = list(read_squad(path, split.labelled, limit))
    else:
        if task.format == "tsv":
            header = split.header if split.header is not None else task.header
            records = tsv_records(path, columns, header, task.malformed, skipped)
        elif task.format == "swag":
            columns = SWAG_COLUMNS
            records = swag_records(path, split.labelled)
        else:
            records = jsonl_records(path)
        rows = rows_from_records(records, columns, task, split.labelled, limit)
    notes: tuple[str, ...] = ()
    if skipped:
        notes = (f"{path.name}: {len(skipped)} malformed lines passed over, the first at {skipped[0]}",)
    return rows, notes
