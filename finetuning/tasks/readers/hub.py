"""Splits from the Hugging Face hub, by `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from finetuning.errors import FinetuningError, RetryableError, can_retry
from finetuning.tasks.task import Split, Task


def hub_records(
    task: Task, split: Split, name: str, limit: int | None = None, class_role: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]] | None:
    """Read a split from the hub (or from `datasets`' cache, or a local folder that `hub.path` names).

    Class numbers in the column of `class_role` become the task's label names. None where the task calls the split
    optional and the hub does not have it.

    Raises:
        FinetuningError: the task is not on the hub.
        RetryableError: the hub cannot be reached, or the disk is full.
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
    except Exception as error:
        known = isinstance(error, OSError | ValueError | datasets.exceptions.DatasetsError)
        if not known and not _is_http_error(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        failed = f"{hub.path}: the {split.hub_split} split could not be loaded from the hub ({reason})"
        if _is_outage(error) and not datasets.config.HF_HUB_OFFLINE:
            raise RetryableError(
                f"{failed}; run the same again later, or set --data to a folder with the benchmark's files"
            ) from None
        raise FinetuningError(f"{failed}; set --data to a folder with the benchmark's files") from None
    if limit is not None:
        table = table.select(range(min(limit, len(table))))
    has_names = class_role is not None and hub.labels and split.labelled
    label = hub.columns.get(str(class_role), class_role) if has_names else None
    place = f"{hub.path} {split.hub_split}"

    def named(record: dict[str, Any], number: int) -> dict[str, Any]:
        if label is not None and label in record:
            record[label] = _names(record[label], hub.labels, f"{place}: row {number}")
        return record

    return ((f"{place}: row {number}", named(record, number)) for number, record in enumerate(table))


def _is_http_error(error: BaseException) -> bool:
    """Whether the hub's HTTP library raised it: by name, as that library is another one from version to version."""
    return any(kind.__name__ == "HTTPError" for kind in type(error).__mro__)


def _is_outage(error: BaseException | None) -> bool:
    """Whether another try may succeed: no connection, a busy server, a full disk; also as the cause of the error."""
    if error is None:
        return False
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(status, int):
        again = status >= 500 or status in (408, 429)
    elif isinstance(error, OSError):
        again = can_retry(error)
    else:
        again = _is_http_error(error)
    return again or _is_outage(error.__cause__)


def _names(value: Any, labels: tuple[str, ...], place: str) -> Any:
    if isinstance(value, list):
        return [_names(item, labels, place) for item in value]
    if isinstance(value, int) and 0 <= value < len(labels):
        return labels[value]
    raise FinetuningError(f"{place}: class number {value!r} is unknown; the task names {len(labels)} classes")
