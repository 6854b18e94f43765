"""Tables with a separator: GLUE's TSV files, in which a quotation mark is a character like any other, and CSV files.

Nothing is guessed: separator, quoting and header are the task's, or those of the format. A line that does not fit is
refused by its number, for a lost row bends a score and shifts the rows of a submission.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.lines import lines
from finetuning.tasks.readers.quoting import quoted_rows
from finetuning.tasks.readers.remarks import LOOKED_AT, Remarks
from finetuning.tasks.records import Columns, first_twice, names_in

_CLASS_ROLES = ("label", "labels", "tags")
"""Roles whose values are classes or numbers."""
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written."""

    delimiter: str = "\t"
    quoted: bool = False
    """A field may stand in quotation marks, with line ends and separators in it and its own marks doubled."""
    header: bool = True
    labels: tuple[str, ...] = ()
    """Classes of the task."""
    malformed: Literal["refuse", "skip"] = "refuse"
    """What to do with lines whose number of fields is not that of the first line."""


def table_records(
    path: Path,
    columns: Columns,
    layout: Layout | None = None,
    remarks: Remarks | None = None,
    *,
    also: Iterable[str] = (),
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a table, keyed by the names of its header, or by "0", "1", … without one.

    Args:
        path: the file.
        columns: the task's columns, by name, or by position from 0 (negative: from the end); each must exist.
        layout: how it is written; left out: as GLUE writes TSV.
        remarks: counts what was passed over.
        also: further names that will be asked for where they are there, so that none may stand there twice.

    Raises:
        FinetuningError: a column is missing or stands there twice, a line has another number of fields, the quoting is
            broken, or what is to be the header is a row.
    """
    layout, remarks = layout or Layout(), remarks if remarks is not None else Remarks()
    names: list[str] | None = None
    places: dict[str, int] = {}
    blank: list[int] = []
    for number, fields in _rows(path, layout):
        if names is None:
            names = fields if layout.header else [str(index) for index in range(len(fields))]
            places = _places(path, names, columns, layout, also)
            if layout.header:
                _refuse_row_as_header(path, names, columns, layout)
                continue
        if not fields:
            blank.append(number)
            continue
        # Empty lines at the end of a file are nothing. Without quoting, a table of one column has no other way to
        # write an empty text; with it, `""` is one.
        for empty in blank:
            if len(names) == 1 and not layout.quoted:
                remarks.rows += 1
                yield f"{path}: line {empty}", dict.fromkeys((*names, *places), "")
            else:
                remarks.blank.append(f"line {empty}")
        blank = []
        if len(fields) != len(names):
            if layout.malformed == "skip":
                remarks.malformed.append(f"line {number}")
                continue
            raise FinetuningError(
                f"{path}: line {number} has {len(fields)} fields, the first line has {len(names)}; {_advice(layout)} "
                "(or pass --skip-malformed)"
            )
        remarks.rows += 1
        if not layout.quoted and remarks.rows <= LOOKED_AT:
            remarks.quoted += any(field[:1] == field[-1:] == '"' != field for field in fields)
        record: dict[str, Any] = dict(zip(names, fields, strict=True))
        for name, place in places.items():
            record[name] = fields[place]
        yield f"{path}: line {number}", record


def _rows(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    if layout.quoted:
        return quoted_rows(path, layout.delimiter)
    return ((number, line.split(layout.delimiter) if line else []) for number, line in lines(path))


def _advice(layout: Layout) -> str:
    if layout.quoted:
        return "write a field with a separator in it in quotation marks"
    return (
        "there is no quoting in these files, so remove separators and line breaks inside a text, or set quoted = true"
    )


def _places(path: Path, names: list[str], columns: Columns, layout: Layout, also: Iterable[str]) -> dict[str, int]:
    """Where the columns that are given by position stand, by the position as a text; the others are checked."""
    given = [(role, column) for role, of_role in columns.items() for column in names_in(of_role)]
    places = {}
    for role, column in given:
        if isinstance(column, int) and -len(names) <= column < len(names):
            places[str(column)] = column % len(names)
        elif isinstance(column, int) or (not layout.header and column not in names):
            raise FinetuningError(
                f"{path}: line 1 has {len(names)} columns separated by {_word(layout.delimiter)}, so there is no "
                f"column {column} ({role}); columns count from 0{_other_layout(names, layout)}"
            )
        elif column not in names:
            near = difflib.get_close_matches(column, names, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, names))}"
            other = _other_layout(names, layout)
            raise FinetuningError(f"{path}: column {column!r} ({role}) is missing in the header; {hint}{other}")
    used = {*also, *(column for _, column in given if isinstance(column, str))}
    if twice := first_twice(name for name in names if name in used):
        raise FinetuningError(
            f"{path}: the header has two columns {twice!r}; rename one, or give the position of the column instead"
        )
    return places


def _refuse_row_as_header(path: Path, names: list[str], columns: Columns, layout: Layout) -> None:
    """FinetuningError where the first line has a label for a name: as a header the row would be lost in silence.

    Only a column that is given by position can be so: by its name it would be missing.
    """
    given = [column for role in _CLASS_ROLES for column in names_in(columns.get(role, ())) if isinstance(column, int)]
    for column in given:
        name = names[column].strip()
        parts = name.replace(",", " ").split()
        is_label = name in layout.labels or (parts and all(part in layout.labels for part in parts))
        if is_label or _NUMBER.fullmatch(name):
            raise FinetuningError(
                f"{path}: line 1 is to be the header, but has the label {names[column]!r} in column {column}; set "
                "header = false in the task if the file has none"
            )


def _other_layout(names: list[str], layout: Layout) -> str:
    """A hint where the first line looks as if it were written in another way than the task says."""
    if "\r" in "".join(names):
        return "; its lines end in carriage returns alone, convert them to line feeds"
    if not layout.quoted and any(name[:1] == name[-1:] == '"' != name for name in names):
        return "; its fields stand in quotation marks, set quoted = true in the task"
    if "".join(names[:1]).startswith("sep="):
        return "; that line is a spreadsheet's note of the separator, delete it"
    if len(names) == 1:
        counts = {mark: names[0].count(mark) for mark in SEPARATORS if mark != layout.delimiter}
        mark = max(counts, key=lambda mark: counts[mark])
        if counts[mark]:
            return f"; it has {SEPARATORS[mark]} in it, set delimiter = {_toml(mark)} in the task if they separate"
    return ""


def _word(delimiter: str) -> str:
    return SEPARATORS.get(delimiter, repr(delimiter))


def _toml(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'
