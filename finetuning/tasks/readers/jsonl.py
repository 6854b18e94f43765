"""Files with one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.tsv import lines


def jsonl_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a JSONL file with their places; empty lines are passed over.

    Raises:
        FinetuningError: a line is not a JSON object.
    """
    for number, line in lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise FinetuningError(f"{path}: line {number} is not JSON: {error}") from None
        if not isinstance(record, dict):
            raise FinetuningError(f'{path}: line {number} is not a JSON object; write {{"column": value, …}}')
        yield f"{path}: line {number}", record
