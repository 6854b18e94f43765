"""CoNLL files: one word per line with its columns, an empty line after each sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.lines import lines
from finetuning.tasks.records import Columns

CONLL_COLUMNS: Columns = {"words": "words", "tags": "tags", "document": "document"}


def to_iob2(tags: Sequence[str]) -> list[str]:
    """Tags in the IOB2 scheme: every entity begins with `B-`.

    CoNLL-2003 was released in IOB1, which writes `B-` only between two adjacent entities of one type. Tags that
    are already IOB2, and tags of no scheme (part of speech), come back unchanged.
    """
    result: list[str] = []
    previous = "O"
    for tag in tags:
        if tag.startswith("I-") and previous[2:] != tag[2:]:
            result.append(f"B-{tag[2:]}")
        else:
            result.append(tag)
        previous = tag if tag[:2] in ("B-", "I-") else "O"
    return result


def conll_records(path: Path, columns: Columns, labelled: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Sentences of a CoNLL file: `words`, `tags` where it is labelled, and `document`.

    `columns` are numbers, negative ones from the end; by default 0 and -1.

    `-DOCSTART-` lines are passed over; `document` is how many there were, as a text, None before the first. Every line
    of a labelled file must have as many columns as its first: where a tag is missing, the last column is another one.

    Raises:
        FinetuningError: a column is not there, a line has another number of them, or `columns` are no numbers.
    """
    word_column, tag_column = _number(path, columns, "words", 0), _number(path, columns, "tags", -1)
    first: tuple[int, int] | None = None
    """Number and columns of the first line."""
    words: list[str] = []
    tags: list[str] = []
    first_line = 1
    documents = 0

    def sentence() -> tuple[str, dict[str, Any]]:
        values: dict[str, Any] = {"words": words, "document": str(documents) if documents else None}
        return f"{path}: line {first_line}", values | ({"tags": to_iob2(tags)} if labelled else {})

    for number, line in lines(path):
        # Split at blanks and tabs only: a word may be a no-break space.
        fields = [field for field in line.replace("\t", " ").split(" ") if field]
        if not fields or fields[0] == "-DOCSTART-":
            if words:
                yield sentence()
                words, tags = [], []
            documents += bool(fields)
            continue
        if not words:
            first_line = number
        first = first or (number, len(fields))
        if labelled and len(fields) != first[1]:
            raise FinetuningError(
                f"{path}: line {number} has {len(fields)} columns, line {first[0]} has {first[1]}, so a word or a tag "
                "is missing or has a blank in it; correct the line"
            )
        try:
            words.append(fields[word_column])
            if labelled:
                if len(fields) < 2:
                    raise IndexError
                tags.append(fields[tag_column])
        except IndexError:
            raise FinetuningError(
                f"{path}: line {number} has {len(fields)} columns, too few for word and tag; "
                "write them separated by blanks or tabs"
            ) from None
    if words:
        yield sentence()


def _number(path: Path, columns: Columns, role: str, default: int) -> int:
    column = columns.get(role, default)
    if not isinstance(column, int):
        raise FinetuningError(
            f"{path}: column {column!r} ({role}) has no name in a CoNLL file; give its number, from 0"
        )
    return column
