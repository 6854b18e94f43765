"""Lines of text files: UTF-8, a line feed as the only line end, and nothing that no text has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

from finetuning.errors import FinetuningError, from_system

LONGEST = 1 << 26
"""Most bytes of a line, and most characters of a quoted record: what bounds the memory of a reader."""

STANDARD_INPUT = Path("<stdin>")
"""This very object stands for standard input wherever a file of lines may; its name is for messages."""


def opened(path: Path) -> AbstractContextManager[BinaryIO]:
    """A file for reading bytes; standard input stays open afterwards."""
    return nullcontext(sys.stdin.buffer) if path is STANDARD_INPUT else path.open("rb")


def raw_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines (from 1) of a UTF-8 file with their ends; a byte order mark is left out.

    Raises:
        FinetuningError: no such file, a line that is not UTF-8, has NUL bytes or is longer than `LONGEST`.
    """
    number = 0
    try:
        with opened(path) as file:
            for number, raw in enumerate(iter(partial(file.readline, LONGEST + 1), b""), 1):
                if len(raw) > LONGEST:
                    raise FinetuningError(f"{path}: line {number} is longer than {LONGEST >> 20} MiB; break it up")
                if b"\0" in raw:
                    raise FinetuningError(
                        f"{path}: line {number} has NUL bytes, as UTF-16 or a damaged file has; convert it to UTF-8"
                    )
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise FinetuningError(f"{path}: line {number} is not UTF-8; convert the file") from None
    except OSError as error:
        raise from_system(error, f"{path}: cannot be read") from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """`raw_lines` without their ends.

    `str.splitlines` and universal newlines would cut a text at U+2028, U+0085 or a lone carriage return.
    """
    return ((number, line.removesuffix("\n").removesuffix("\r")) for number, line in raw_lines(path))
