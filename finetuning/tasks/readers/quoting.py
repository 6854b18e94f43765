"""Rows of a table with quoting (RFC 4180): strict, a line at a time, in memory that a record bounds.

`csv` of the standard library takes a quotation mark inside an unquoted field for text, so `a, "b, c"` would become
three fields in silence; here it is refused by its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.lines import LONGEST, raw_lines


def quoted_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The number of the line in which a row begins, and its fields; an empty line is a row of none.

    Raises:
        FinetuningError: a mark that is never closed, text beside a quoted field, or a mark within an unquoted one.
    """
    fields: list[str] = []
    begins, opened, size = 1, 0, 0
    inside: list[str] | None = None
    """Parts of the quoted field that is open."""
    for number, line in raw_lines(path):
        end = len(line.removesuffix("\n").removesuffix("\r"))
        if inside is None:
            begins, size = number, 0
            if not end:
                yield number, []
                continue
        size += len(line)
        if size > LONGEST:
            raise FinetuningError(
                f"{path}: the row that begins in line {begins} is longer than {LONGEST >> 20} MiB; close the quotation "
                f"mark of line {opened}"
            )
        place = 0
        while True:
            if inside is not None:
                mark = line.find('"', place)
                if mark < 0:
                    inside.append(line[place:])
                    break
                if line.startswith('""', mark):
                    inside.append(line[place : mark + 1])
                    place = mark + 2
                    continue
                inside.append(line[place:mark])
                fields.append("".join(inside))
                inside, place = None, mark + 1
                if place < end and not line.startswith(delimiter, place):
                    raise FinetuningError(
                        f"{path}: line {number} has text behind the quoted field {fields[-1]!r:.60}; double the "
                        "quotation marks inside it"
                    )
            elif line.startswith('"', place):
                inside, opened = [], number
                place += 1
                continue
            else:
                mark = line.find(delimiter, place, end)
                stop = end if mark < 0 else mark
                fields.append(line[place:stop])
                place = stop
                if '"' in fields[-1]:
                    raise FinetuningError(
                        f"{path}: line {number} has a quotation mark within the unquoted field {fields[-1]!r:.60}; "
                        "quote the whole field and double the mark, or set quoted = false in the task"
                    )
            if place >= end:
                yield begins, fields
                fields = []
                break
            place += len(delimiter)
    if inside is not None:
        raise FinetuningError(
            f"{path}: line {opened} opens a quotation mark that is never closed; close it, or set quoted = false in "
            "the task"
        )
