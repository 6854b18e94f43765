"""Splits from the Hugging Face hub, by `datasets`."""

from __future__ import annotations

from typing import Any

from finetuning.errors import FinetuningError
from finetuning.readers.records import rows_from_records
from finetuning.rows import Row
from finetuning.tasks import Split, Task


def read_hub(task: Task, split: Split, name: str, limit: int | None = None) -> list[Row] | None:
    """Read a split from the hub (or from `datasets`' cache, or a local folder that `hub.path` names).

    Class numbers become the task's label names. None where the task calls the split optional and the hub does
    not have it.

    Raises:
        FinetuningError: the task is not on the hub, or the hub cannot be reached.
    """
    hub = task.hub
    if hub is None or split.hub_split is None:
        if split.optional:
            return None
        raise FinetuningError(f"{task.name}: its {name} split is not on the hub; set --data to a folder that has it")
    import datasets

    config = split.hub_config or hub.config
    try:
        # Streaming would read row by row in Python; a table is read once and cached by `datasets`.
        table = datasets.load_dataset(hub.path, config, split=split.hub_split, revision=hub.revision)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FinetuningError(
            f"{hub.path}: the {split.hub_split} split could not be loaded from the hub ({reason}); "
            "set --data to a folder with the benchmark's files"
        ) from None
    if limit is not None:
        table = table.select(range(min(limit, len(table))))
    columns: dict[str, str | int] = dict(hub.columns)
    if task.kind == "classification" and hub.labels:
        label = columns["label"]
    elif task.kind == "token" and hub.labels:
        label = columns["tags"]
    else:
        label = ""
    place = f"{hub.path} {split.hub_split}"

    def named(record: dict[str, Any], number: int) -> dict[str, Any]:
        if label and split.labelled:
            record[str(label)] = _names(record[str(label)], hub.labels, f"{place}: row {number}")
        return record

    records = ((f"{place}: row {number}", named(record, number)) for number, record in enumerate(table))
    return rows_from_records(records, columns, task, split.labelled)


def _names(value: Any, labels: tuple[str, ...], place: str) -> Any:
    if isinstance(value, list):
        return [_names(item, labels, place) for item in value]
    if isinstance(value, int) and 0 <= value < len(labels):
        return labels[value]
    raise FinetuningError(f"{place}: class number {value!r} is unknown; the task names {len(labels)} classes")
