"""Files of a run that are either complete or absent, with this package's error where one cannot be written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError, RetryableError, can_retry
from preprocessing.atomic_file import replacing as replacing_file
from preprocessing.errors import PreprocessingError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a temporary path beside `target`, which becomes `target` when the block ends well.

    Raises:
        RetryableError: the disk or the quota is full, or the file system is away; `target` is as it was.
        FinetuningError: the folder cannot be written to.
    """
    try:
        with replacing_file(target) as temporary:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())  # a result's name must not outlive its contents when the machine goes down
    except PreprocessingError as error:
        cause = error.__cause__
        kind = RetryableError if isinstance(cause, OSError) and can_retry(cause) else FinetuningError
        raise kind(str(error)) from error


def write_text(target: Path, text: str) -> Path:
    """Write UTF-8 text to `target`."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def write_json(target: Path, content: Any, *, indent: int | None = 2) -> Path:
    """Write JSON to `target`."""
    return write_text(target, json.dumps(content, ensure_ascii=False, indent=indent) + "\n")
