"""From records (a name and a value for each column) to the rows of a kind of task."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.squad_json import span_row
from finetuning.tasks.rows import ChoiceRow, Row, TextRow, TokenRow
from finetuning.tasks.task import Task

_DEFAULT_COLUMNS: dict[str, dict[str, str | int]] = {
    "span": {"id": "id", "question": "question", "context": "context", "answers": "answers"},
    "choice": {"text_a": "text_a", "endings": "endings", "label": "label"},
    "token": {"words": "words", "tags": "tags"},
}


def rows_from_records(
    records: Iterable[tuple[str, dict[str, Any]]],
    columns: dict[str, str | int],
    task: Task,
    labelled: bool,
    limit: int | None = None,
) -> list[Row]:
    """Turn (place, record) pairs into rows of the task's kind.

    Raises:
        FinetuningError: a record lacks a column, or a value is of the wrong kind; the message names the place.
    """
    columns = columns or _DEFAULT_COLUMNS.get(task.kind, {})
    build = {"span": _span, "choice": _choice, "token": _token}.get(task.kind, _text)
    rows: list[Row] = []
    for place, record in records:
        if limit is not None and len(rows) >= limit:
            break
        rows.append(build(_Record(place, record, columns, len(rows)), task, labelled))
    return rows


class _Record:
    """One record with the task's names for its columns."""

    def __init__(self, place: str, values: dict[str, Any], columns: dict[str, str | int], number: int) -> None:
        self.place, self.values, self.columns, self.number = place, values, columns, number

    def get(self, role: str) -> Any:
        return self.cell(str(self.columns.get(role, role)), role)

    def cell(self, column: str, role: str | None = None) -> Any:
        if column not in self.values:
            near = difflib.get_close_matches(column, self.values, 1, 0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, self.values))}"
            raise FinetuningError(f"{self.place}: column {column!r}{f' ({role})' if role else ''} is missing; {hint}")
        return self.values[column]

    def text(self, role: str) -> str:
        value = self.get(role)
        if not isinstance(value, str):
            raise FinetuningError(f"{self.place}: {role} is {value!r:.60}, not a text; write a string")
        return value

    def texts(self, role: str) -> tuple[str, ...]:
        value = self.get(role)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise FinetuningError(f"{self.place}: {role} is {value!r:.60}, not a list of texts; write one")
        return tuple(value)

    @property
    def id(self) -> str:
        return str(self.get("id")) if "id" in self.columns else str(self.number)


def _text(record: _Record, task: Task, labelled: bool) -> TextRow:
    text_b = record.text("text_b") if "text_b" in record.columns else None
    label: str | float | None = None
    if labelled:
        value = record.get("label")
        label = _number(record, value) if task.kind == "regression" else _label(value)
        if isinstance(label, str) and label not in task.labels:
            raise FinetuningError(
                f"{record.place}: label {label!r} is unknown; {task.name} knows {', '.join(map(repr, task.labels))}"
            )
    return TextRow(record.id, record.place, record.text("text_a"), text_b, label)


def _number(record: _Record, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise FinetuningError(f"{record.place}: label {value!r} is not a finite number, as regression needs")
    return number


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _choice(record: _Record, task: Task, labelled: bool) -> ChoiceRow:
    names = str(record.columns.get("endings", "endings")).split()
    # SWAG has a column for each ending; a user's own task has one column with a list.
    endings = tuple(record.cell(name) for name in names) if len(names) > 1 else record.texts("endings")
    if len(endings) != task.choices:
        raise FinetuningError(f"{record.place}: {len(endings)} endings where {task.name} has choices = {task.choices}")
    label: int | None = None
    if labelled:
        value = str(record.get("label"))
        if value not in map(str, range(len(endings))):
            raise FinetuningError(f"{record.place}: label {value!r} is unknown; write 0 to {len(endings) - 1}")
        label = int(value)
    text_b = record.text("text_b") if "text_b" in record.columns else ""
    return ChoiceRow(record.id, record.place, record.text("text_a"), text_b, endings, label)


def _token(record: _Record, task: Task, labelled: bool) -> TokenRow:
    words = record.texts("words")
    tags = record.texts("tags") if labelled else None
    if tags is not None and len(tags) != len(words):
        raise FinetuningError(f"{record.place}: {len(words)} words but {len(tags)} tags; write one tag for each word")
    return TokenRow(record.id, record.place, words, tags)


def _span(record: _Record, task: Task, labelled: bool) -> Row:
    answers = record.get("answers") if labelled else []
    if isinstance(answers, dict):
        # The hub's form: {"text": [...], "answer_start": [...]}.
        try:
            pairs = zip(answers["text"], answers["answer_start"], strict=True)
            answers = [{"text": text, "answer_start": start} for text, start in pairs]
        except (KeyError, ValueError):
            answers = None
    try:
        question = {"id": record.id, "question": record.text("question"), "answers": answers}
        return span_row(record.place, question, record.text("context"), labelled)
    except (KeyError, TypeError, ValueError):
        raise FinetuningError(
            f'{record.place}: answers are not understood; write [{{"text": …, "answer_start": …}}]'
        ) from None
