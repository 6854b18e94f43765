"""Files with one JSON object per line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.json_text import parse_json
from finetuning.tasks.readers.lines import lines
from finetuning.tasks.readers.remarks import Remarks


def jsonl_records(path: Path, remarks: Remarks | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a JSONL file with their places; empty lines are passed over.

    Raises:
        FinetuningError: a line is not a JSON object.
    """
    for number, line in lines(path):
        if not line.strip():
            continue
        record = parse_json(line, str(path), f"line {number}", remarks)
        if not isinstance(record, dict):
            raise FinetuningError(f'{path}: line {number} is not a JSON object; write {{"column": value, …}}')
        yield f"{path}: line {number}", record
