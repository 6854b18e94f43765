"""SWAG's CSV files (train.csv, val.csv, test.csv)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.tasks.readers.remarks import Remarks
from finetuning.tasks.readers.tables import Layout, table_records
from finetuning.tasks.records import Columns

SWAG_COLUMNS: Columns = {
    "text_a": "sent1",
    "text_b": "sent2",
    "endings": ("ending0", "ending1", "ending2", "ending3"),
    "label": "label",
}


def swag_records(path: Path, labelled: bool, remarks: Remarks | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a SWAG file: `sent1` is the context, `sent2` the beginning of every ending.

    Raises:
        FinetuningError: no such file, a column is missing, or a line has another number of fields.
    """
    columns = {role: column for role, column in SWAG_COLUMNS.items() if labelled or role != "label"}
    return table_records(path, columns, Layout(",", quoted=True), remarks)
