"""A record of a task's data: a value for each column, as a file or the hub has it, before it is a row of any kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from finetuning.errors import FinetuningError

Column: TypeAlias = str | int | tuple[str | int, ...]
Columns: TypeAlias = Mapping[str, Column]
"""The column of each role, or its columns: `{"text_a": "sentence1", "endings": ("ending0", "ending1"), "label": 3}`."""


def names_in(column: Column) -> tuple[str | int, ...]:
    """The columns of a role, one or several."""
    return column if isinstance(column, tuple) else (column,)


def first_twice(names: Iterable[str]) -> str | None:
    """The first name that stands there for the second time."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


@dataclass(frozen=True, slots=True)
class Record:
    """One record with the task's names for its columns."""

    place: str
    """File and line, or hub split and row: for error messages."""
    values: Mapping[str, Any]
    columns: Columns
    number: int
    """Its number in the split, from 0: its id where no column has one."""

    @property
    def id(self) -> str:
        """What names the record in predictions; FinetuningError where its column has neither text nor number."""
        if "id" not in self.columns:
            return str(self.number)
        value = self.get("id")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise FinetuningError(f"{self.place}: id is {value!r:.60}, neither a text nor a number; write one")
        return str(value)

    def get(self, role: str) -> Any:
        """The value of a role; FinetuningError, naming the nearest column, where it is missing."""
        column = self.columns.get(role, role)
        if isinstance(column, tuple) and len(column) == 1:
            (column,) = column
        return self.cell(str(column), role)

    def cell(self, column: str, role: str | None = None) -> Any:
        """The value of a column."""
        if column not in self.values:
            near = difflib.get_close_matches(column, self.values, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, self.values))}"
            raise FinetuningError(f"{self.place}: column {column!r}{f' ({role})' if role else ''} is missing; {hint}")
        return self.values[column]

    def text(self, role: str) -> str:
        """The value of a role that must be a text."""
        value = self.get(role)
        if not isinstance(value, str):
            raise FinetuningError(f"{self.place}: {role} is {value!r:.60}, not a text; write a string")
        return value

    def texts(self, role: str) -> tuple[str, ...]:
        """The value of a role that must be a list of texts."""
        value = self.get(role)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise FinetuningError(f"{self.place}: {role} is {value!r:.60}, not a list of texts; write one")
        return tuple(value)
