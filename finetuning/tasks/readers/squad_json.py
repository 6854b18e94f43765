"""SQuAD's JSON files, versions 1.1 and 2.0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError, from_system
from finetuning.tasks.readers.json_text import parse_json
from finetuning.tasks.readers.lines import opened
from finetuning.tasks.readers.remarks import Remarks
from finetuning.tasks.records import Columns

SQUAD_COLUMNS: Columns = {name: name for name in ("id", "question", "context", "answers")}


def squad_records(
    path: Path, labelled: bool = True, remarks: Remarks | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Questions of a SQuAD file in its order; an impossible one has no answers. The file is read whole.

    Raises:
        FinetuningError: no such file, it is not UTF-8 or not JSON, or a key is missing or of the wrong kind.
    """
    try:
        with opened(path) as file:
            text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FinetuningError(f"{path}: not UTF-8 at byte {error.start}; convert the file") from None
    except OSError as error:
        raise from_system(error, f"{path}: cannot be read") from None
    content = parse_json(text, str(path), "the file", remarks)
    count = 0
    try:
        for article in _list(content, "data"):
            for paragraph in _list(article, "paragraphs"):
                context = _text(paragraph, "context")
                for question in _list(paragraph, "qas"):
                    number = _value(question, "id")
                    if isinstance(number, bool) or not isinstance(number, str | int):
                        raise _KeyError("id")
                    record: dict[str, Any] = {
                        "id": str(number),
                        "question": _text(question, "question"),
                        "context": context,
                    }
                    if labelled:
                        record["answers"] = _answers(question, remarks)
                    yield str(path), record
                    count += 1
    except _KeyError as error:
        raise FinetuningError(
            f"{path}: after {count} questions the key {error.args[0]!r} is missing or of the wrong kind; SQuAD files "
            "have data > paragraphs > context, qas > id, question, answers"
        ) from None


class _KeyError(Exception):
    """A key is missing, or its value is of the wrong kind."""


def _value(table: Any, key: str) -> Any:
    if not isinstance(table, dict) or key not in table:
        raise _KeyError(key)
    return table[key]


def _text(table: Any, key: str) -> str:
    value = _value(table, key)
    if not isinstance(value, str):
        raise _KeyError(key)
    return value


def _list(table: Any, key: str) -> list[Any]:
    value = _value(table, key)
    if not isinstance(value, list):
        raise _KeyError(key)
    return value


def _place(answer: Any) -> int:
    """A whole number, maybe written as `7.0`: 7.5 or "7" are no place, and rounding would bend the answer."""
    value = _value(answer, "answer_start")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise _KeyError("answer_start")
    return int(value)


def _answers(question: Any, remarks: Remarks | None) -> list[dict[str, Any]]:
    """The answers; none to an impossible question, whatever stands there, which is remarked."""
    impossible = question.get("is_impossible", False)
    if not isinstance(impossible, bool):  # "false" would be true
        raise _KeyError("is_impossible")
    given = question.get("answers", []) if impossible else _list(question, "answers")
    if impossible and given and remarks is not None:
        remarks.impossible.append(f"id {question['id']}")
    return [] if impossible else [{"text": _text(answer, "text"), "answer_start": _place(answer)} for answer in given]
