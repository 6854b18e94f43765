"""SQuAD's JSON files, versions 1.1 and 2.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError, from_system
from finetuning.tasks.records import Columns

SQUAD_COLUMNS: Columns = {name: name for name in ("id", "question", "context", "answers")}


def squad_records(path: Path, labelled: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """Questions of a SQuAD file in its order; an impossible one has no answers.

    Raises:
        FinetuningError: no such file, or a key is missing.
    """
    try:
        content = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FinetuningError(f"{path}: not a JSON file: {error}") from None
    except OSError as error:
        raise from_system(error, f"{path}: cannot be read") from None
    count = 0
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                context = str(paragraph["context"])
                for question in paragraph["qas"]:
                    record: dict[str, Any] = {
                        "id": str(question["id"]),
                        "question": str(question["question"]),
                        "context": context,
                    }
                    if labelled:
                        given = () if question.get("is_impossible", False) else question["answers"]
                        answers = [{"text": str(a["text"]), "answer_start": int(a["answer_start"])} for a in given]
                        record["answers"] = answers
                    yield str(path), record
                    count += 1
    except (KeyError, TypeError, ValueError) as error:
        raise FinetuningError(
            f"{path}: after {count} questions the key {error} is missing or of the wrong kind; SQuAD files have "
            "data > paragraphs > context, qas > id, question, answers"
        ) from None
