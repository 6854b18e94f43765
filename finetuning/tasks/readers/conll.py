"""CoNLL files: one word per line with its columns, an empty line after each sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.tsv import lines
from finetuning.tasks.rows import TokenRow


def to_iob2(tags: Sequence[str]) -> tuple[str, ...]:
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
    return tuple(result)


def read_conll(
    path: Path, columns: dict[str, str | int], labelled: bool, limit: int | None = None
) -> Iterator[TokenRow]:
    """Sentences of a CoNLL file. Columns are numbers, negative ones from the end; by default 0 and -1.

    `-DOCSTART-` lines are passed over.

    Raises:
        FinetuningError: a line has fewer columns than needed.
    """
    word_column, tag_column = int(columns.get("words", 0)), int(columns.get("tags", -1))
    words: list[str] = []
    tags: list[str] = []
    first_line, count = 1, 0

    def sentence() -> TokenRow:
        return TokenRow(str(count), f"{path}: line {first_line}", tuple(words), to_iob2(tags) if labelled else None)

    for number, line in lines(path):
        # Split at blanks and tabs only: a word may be a no-break space.
        fields = [field for field in line.replace("\t", " ").split(" ") if field]
        if not fields or fields[0] == "-DOCSTART-":
            if words:
                yield sentence()
                count += 1
                words, tags = [], []
                if limit is not None and count >= limit:
                    return
            continue
        if not words:
            first_line = number
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
