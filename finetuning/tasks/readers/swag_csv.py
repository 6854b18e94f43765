"""SWAG's CSV files (train.csv, val.csv, test.csv)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError, from_system
from finetuning.tasks.records import Columns

SWAG_COLUMNS: Columns = {
    "text_a": "sent1",
    "text_b": "sent2",
    "endings": "ending0 ending1 ending2 ending3",
    "label": "label",
}


def swag_records(path: Path, labelled: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a SWAG file: `sent1` is the context, `sent2` the beginning of every ending.

    Raises:
        FinetuningError: no such file, a column is missing or a line is cut short.
    """
    wanted = ["sent1", "sent2", "ending0", "ending1", "ending2", "ending3", *(["label"] if labelled else [])]
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in wanted if name not in (reader.fieldnames or ())]:
                raise FinetuningError(
                    f"{path}: column {missing[0]!r} is missing; it has {', '.join(map(repr, reader.fieldnames or ()))}"
                )
            for record in reader:
                if any(record[name] is None for name in wanted):
                    raise FinetuningError(f"{path}: line {reader.line_num} has too few fields; restore the line")
                yield f"{path}: line {reader.line_num}", record
    except UnicodeDecodeError:
        raise FinetuningError(f"{path}: not UTF-8; convert the file") from None
    except OSError as error:
        raise from_system(error, f"{path}: cannot be read") from None
