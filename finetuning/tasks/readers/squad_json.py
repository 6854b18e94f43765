"""SQuAD's JSON files, versions 1.1 and 2.0."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError, from_system
from finetuning.tasks.rows import SpanRow

# Some answers of the published files are said to stand a character or two beside their `answer_start`.
SLIP = 2


def read_squad(path: Path, labelled: bool = True, limit: int | None = None) -> Iterator[SpanRow]:
    """Questions of a SQuAD file in its order.

    Raises:
        FinetuningError: no such file, a key is missing, or an answer does not stand where it should.
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
                    yield span_row(path, question, context, labelled)
                    count += 1
                    if limit is not None and count >= limit:
                        return
    except (KeyError, TypeError, ValueError) as error:
        raise FinetuningError(
            f"{path}: after {count} questions the key {error} is missing or of the wrong kind; SQuAD files have "
            "data > paragraphs > context, qas > id, question, answers"
        ) from None


def span_row(place: Path | str, question: dict[str, Any], context: str, labelled: bool) -> SpanRow:
    """One question as a row, its answers checked against the context, and put where they stand if that is near."""
    answers: tuple[tuple[str, int], ...] = ()
    identifier = str(question["id"])
    where = f"{place}: question {identifier}"
    if labelled and not question.get("is_impossible", False):
        answers = tuple(
            (text, _place(context, text, int(answer["answer_start"])))
            for answer in question["answers"]
            for text in [str(answer["text"])]
        )
    for text, start in answers:
        if not text or start < 0 or start + len(text) > len(context):
            raise FinetuningError(
                f"{where}: the answer {text!r} at character {start} is empty or outside the context of "
                f"{len(context)} characters; correct it"
            )
        if (there := context[start : start + len(text)]) != text:
            raise FinetuningError(
                f"{where}: the answer {text!r} does not stand at character {start} of the context, where {there!r} is; "
                "correct answer_start, which counts characters (not bytes) from 0"
            )
    return SpanRow(identifier, where, str(question["question"]), context, answers)


def _place(context: str, text: str, start: int) -> int:
    """Where the answer stands: `start`, or the nearest of the places up to `SLIP` characters beside it."""
    for shift in sorted(range(-SLIP, SLIP + 1), key=abs):
        if start + shift >= 0 and context.startswith(text, start + shift):
            return start + shift
    return start
