"""SQuAD's JSON files, versions 1.1 and 2.0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError, from_system
from finetuning.tasks.readers.json_text import parse_json
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
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FinetuningError(f"{path}: not UTF-8 at byte {error.start}; convert the file") from None
    except OSError as error:
        raise from_system(error, f"{path}: cannot be read") from None
    content = parse_json(text, str(path), "the file", remarks)
    count = 0
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                context = _text(paragraph, "context")
                for question in paragraph["qas"]:
                    number = question["id"]
                    if isinstance(number, bool) or not isinstance(number, str | int):
                        raise TypeError("id")
                    record: dict[str, Any] = {
                        "id": str(number),
                        "question": _text(question, "question"),
                        "context": context,
                    }
                    if labelled:
                        record["answers"] = _answers(question)
                    yield str(path), record
                    count += 1
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FinetuningError(
            f"{path}: after {count} questions the key {error} is missing or of the wrong kind; SQuAD files have "
            "data > paragraphs > context, qas > id, question, answers"
        ) from None


def _text(table: Any, key: str) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise TypeError(key)
    return value


def _answers(question: Any) -> list[dict[str, Any]]:
    impossible = question.get("is_impossible", False)
    if not isinstance(impossible, bool):  # "false" would be true
        raise TypeError("is_impossible")
    given = () if impossible else question["answers"]
    return [{"text": _text(answer, "text"), "answer_start": int(answer["answer_start"])} for answer in given]
