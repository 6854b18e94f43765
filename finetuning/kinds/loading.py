"""Tasks with what their kind asks of them, and the rows of their splits."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from finetuning.errors import FinetuningError
from finetuning.kinds.protocol import Kind
from finetuning.kinds.registry import KINDS, kind_named
from finetuning.kinds.rows import Row, SplitRows, TokenRow
from finetuning.tasks.readers.plain import find_new
from finetuning.tasks.readers.splits import Found, find_split
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task, parse_table, read_task

PART_ROWS = 2048
"""Most rows that are answered at a time: enough to make batches of rows of like length."""
PART_CHARACTERS = 1 << 22
"""Characters of text after which such a part ends, however few rows it has."""


def kind_of(task: Task) -> Kind[Any]:
    """The kind of a task."""
    return kind_named(task.kind)


def load_task(name_or_path: str | Path) -> Task:
    """A benchmark task by name, or any task by the path of its TOML file, checked by its kind too.

    Raises:
        FinetuningError: no such task or file, not TOML, or an unknown, missing or wrong key.
    """
    task, where = read_task(name_or_path)
    return _checked(task, where)


def parse_task(content: dict[str, Any], where: str) -> Task:
    """A task from its table, checked by its kind too; `where` names its file in error messages."""
    return _checked(parse_table(content, where), where)


def _checked(task: Task, where: str) -> Task:
    try:
        kind = kind_of(task)
    except FinetuningError as error:
        raise FinetuningError(f"{where}: {error}") from None
    if task.format not in kind.formats:
        able = [name for name in KINDS if task.format in kind_named(name).formats]
        raise FinetuningError(f"{where}: format {task.format!r} holds {' and '.join(able)} tasks, not {kind.name}")
    allowed = kind.required | kind.optional
    if task.is_table or task.format in ("jsonl", "parquet"):
        if missing := sorted(kind.required - set(task.columns)):
            raise FinetuningError(f"{where}: columns: {', '.join(missing)} missing for a {kind.name} task")
        if unknown := sorted(set(task.columns) - allowed):
            raise FinetuningError(
                f"{where}: columns: unknown {', '.join(unknown)}; a {kind.name} task knows {', '.join(sorted(allowed))}"
            )
    try:
        kind.check(task)
    except ValueError as error:
        raise FinetuningError(f"{where}: {error}") from None
    return task


def read_split(task: Task, name: str, data: Path | None, limit: int | None = None) -> SplitRows | None:
    """Read one split; None where the task calls the split optional and the data do not have it.

    Args:
        task: the task.
        name: a key of `task.splits`.
        data: folder of the local files; None: the folder of a user's own task, or else the hub.
        limit: only the first so many rows.

    Raises:
        FinetuningError: the file, a column or a label is missing or wrong, or the split is empty.
    """
    found = find_split(task, name, data, limit, kind_of(task).class_role)
    if found is None:
        return None
    labelled = task.splits[name].labelled
    rows = tuple(_rows(task, found, labelled, limit))
    if not rows:
        raise FinetuningError(f"{found.source}: the {name} split of {task.name} is empty; it needs at least one row")
    return SplitRows(name, rows, labelled, found.notes + _same_ids(kind_of(task), rows, found.source))


def read_new(task: Task, path: Path) -> SplitRows:
    """Rows without labels from a `.txt`, `.jsonl`, `.parquet`, `.tsv`, `.csv` or `.json` (SQuAD) file, else CoNLL.

    Raises:
        FinetuningError: the file is empty, does not fit the task's kind, or lacks a column that it needs.
    """
    found = _new(task, path)
    rows = tuple(_rows(task, found, labelled=False))
    if not rows:
        raise FinetuningError(f"{path}: holds no rows to answer")
    return SplitRows(path.name, rows, labelled=False, notes=found.notes + _same_ids(kind_of(task), rows, found.source))


def new_in_parts(task: Task, path: Path, suffix: str | None = None) -> Iterator[SplitRows]:
    """The rows of `read_new` in their order, some thousand at a time, so that memory does not grow with the file: but
    for 16 bytes a row where rows have ids, and for a document where the task's context is one: it stays in one part.
    The last part, maybe of no rows, has the notes. Equal ids are noted whatever the kind: an answer stands where its
    row does.

    Args:
        task: what the rows are to be.
        path: the file, or `lines.STANDARD_INPUT`.
        suffix: how it is written, as `.csv`; None: as its name says.

    Raises:
        FinetuningError: as `read_new`, when a row is reached that is wrong.
    """
    kind, found = kind_of(task), _new(task, path, suffix)
    ids = array("q")
    part: list[Row] = []
    rows = characters = 0
    is_full = False
    for row in _rows(task, found, labelled=False):
        rows += 1
        if is_full and not _goes_on(part[-1], row):
            yield SplitRows(path.name, tuple(part), labelled=False)
            part, characters, is_full = [], 0, False
        part.append(row)
        read = kind.read_of(row)
        characters += sum(map(len, read)) if isinstance(read, tuple) else len(str(read))
        if "id" in found.columns:
            ids.append(hash(row.id))
        is_full = len(part) >= PART_ROWS or characters > PART_CHARACTERS
        # Only the row behind it tells whether a document is at its end; nothing else waits for another row.
        if is_full and task.context != "document":
            yield SplitRows(path.name, tuple(part), labelled=False)
            part, characters, is_full = [], 0, False
    if not rows:
        raise FinetuningError(f"{path}: holds no rows to answer")
    twice = len(ids) - len(np.unique(np.frombuffer(ids, np.int64))) if ids else 0
    same = (f"{path.name}: {twice} rows have the id of another",) if twice else ()
    yield SplitRows(path.name, tuple(part), labelled=False, notes=found.notes + same)


def _goes_on(before: Row, row: Row) -> bool:
    """Whether a row is of the same document as the one before it."""
    if not isinstance(before, TokenRow) or not isinstance(row, TokenRow):
        return False
    return row.document is not None and row.document == before.document


def _new(task: Task, path: Path, suffix: str | None = None) -> Found:
    kind = kind_of(task)
    return find_new(task, path, kind.formats, kind.new_roles, kind.further_roles, kind.line_roles(task), suffix)


def _rows(task: Task, found: Found, labelled: bool, limit: int | None = None) -> Iterator[Row]:
    kind = kind_of(task)
    columns = found.columns or kind.default_columns
    return (
        kind.row(task, Record(place, values, columns, number), labelled)
        for number, (place, values) in enumerate(islice(found.records, limit))
    )


def _same_ids(kind: Kind[Any], rows: Sequence[Row], source: str) -> tuple[str, ...]:
    """A note where rows have the same id; FinetuningError where the kind's answers are found again by it."""
    count = len(rows) - len({row.id for row in rows})
    if not count:
        return ()
    seen: set[str] = set()
    row = next(row for row in rows if row.id in seen or seen.add(row.id))  # type: ignore[func-returns-value]
    if kind.unique_ids:
        raise FinetuningError(
            f"{row.place}: the id {row.id!r} stands there twice; a {kind.name} task needs an id a row"
        )
    return (f"{Path(source).name}: {count} rows have the id of another, the first {row.id!r}",)
