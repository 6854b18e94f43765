"""Tab-separated files without quoting, as GLUE writes them: a quotation mark is a character like any other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from finetuning.errors import FinetuningError, from_system
from finetuning.tasks.records import Columns


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines (from 1) of a UTF-8 file, a line feed being the only line end.

    `str.splitlines` and universal newlines would cut a text at U+2028, U+0085 or a lone carriage return.
    """
    number = 0
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, text.removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise FinetuningError(f"{path}: line {number} is not UTF-8; convert the file") from None
    except OSError as error:
        raise from_system(error, f"{path}: cannot be read") from None


def tsv_records(
    path: Path,
    columns: Columns,
    header: bool,
    malformed: Literal["refuse", "skip"] = "refuse",
    skipped: list[str] | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a TSV file, keyed by the column names of the header, or by "0", "1", … without one.

    Args:
        path: the file.
        columns: the task's columns; each must exist.
        header: whether the first line names the columns.
        malformed: what to do with lines whose number of fields is not that of the first line.
        skipped: receives the place of each line passed over.

    Raises:
        FinetuningError: a column is missing, or a line has another number of fields.
    """
    names: list[str] | None = None
    for number, line in lines(path):
        fields = line.split("\t")
        if names is None:
            names = fields if header else [str(index) for index in range(len(fields))]
            _check_columns(path, names, columns, header)
            if header:
                continue
        if not line:
            continue
        if len(fields) != len(names):
            if malformed == "skip":
                if skipped is not None:
                    skipped.append(f"line {number}")
                continue
            raise FinetuningError(
                f"{path}: line {number} has {len(fields)} fields, the first line has {len(names)}; there is no quoting "
                "in these files, so remove tabs and line breaks inside a text (or pass --skip-malformed)"
            )
        yield f"{path}: line {number}", dict(zip(names, fields, strict=True))


def _check_columns(path: Path, names: list[str], columns: Columns, header: bool) -> None:
    for role, column in columns.items():
        if str(column) in names:
            continue
        if not header:
            raise FinetuningError(
                f"{path}: line 1 has {len(names)} tab-separated columns, so there is no column {column} ({role}); "
                "columns count from 0"
            )
        near = difflib.get_close_matches(str(column), names, 1, 0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, names))}"
        raise FinetuningError(f"{path}: column {column!r} ({role}) is missing in the header; {hint}")
