"""JSON lines: one object a line, its text in one field, any other field ignored.

Locator: `byte=N`, where the row begins in the (decompressed) file, so that a row is found again without counting lines.
"""

import json
from collections.abc import Iterator

from preprocessing.errors import PreprocessingError
from preprocessing.sources.lines import binary_lines
from preprocessing.sources.options import ReaderOptions, RecordOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.record_text import paragraphs_of_record
from preprocessing.sources.seeking.seek_points import PlainRange
from preprocessing.sources.split import Split
from preprocessing.storage import open_file
from preprocessing.tally import DOCUMENTS_IN, Tally

_COUNT_BYTES = 1 << 20


def read_jsonlines(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """Rows with text. A malformed row is rejected under `dropped.malformed`, and the rest goes on.

    Raises PreprocessingError when no row of the file's first split is good: then it is no JSON lines file.
    """
    rows = good = 0
    first_reason = ""
    rows_before: int | None = None
    for offset, line in binary_lines(piece, options.limits.line_bytes):
        rows += 1
        if offset == 0 and line:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line is not None and not line.strip():
            continue
        tally.count(DOCUMENTS_IN)
        try:
            text, title = _text_and_title(line, options.records, options.limits.line_bytes)
        except ValueError as error:
            if rows_before is None:
                rows_before = _line_feeds_before(piece)
            reason = f"row {rows_before + rows}: {error}"
            first_reason = first_reason or reason
            tally.reject(f"{piece.file} byte={offset}", reason)
            continue
        good += 1
        yield RawDocument(f"byte={offset}", title, paragraphs_of_record(text))
    if first_reason and not good and piece.start == 0:
        raise PreprocessingError(
            f"{piece.file} has no readable row ({first_reason}); give JSON lines, one object a line in UTF-8, and "
            f"name the field that holds the text by --records.text-field (now {options.records.text_field!r})."
        )


def _text_and_title(line: bytes | None, options: RecordOptions, limit_bytes: int) -> tuple[str, str]:
    """Raises ValueError with the reason why the row is not usable."""
    if line is None:
        raise ValueError(f"longer than {limit_bytes / (1 << 20):.0f} MiB")
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"not valid UTF-8 at its byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON ({error.msg} at its character {error.pos})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(row, dict):
        raise ValueError(f"not an object but {type(row).__name__}")
    text = row.get(options.text_field)
    if not isinstance(text, str):
        raise ValueError(
            f"no text in field {options.text_field!r}; it has {', '.join(map(repr, list(row)[:10])) or 'no fields'}"
        )
    title = row.get(options.title_field)
    return text, title if isinstance(title, str) else ""


def _line_feeds_before(piece: Split) -> int:
    """Rows in the file before this piece; counted only when a message needs the number."""
    if piece.seek:
        return PlainRange.from_text(piece.seek).rows
    count, left = 0, piece.start
    if left:
        with open_file(piece.path) as stream:
            while left and (block := stream.read(min(_COUNT_BYTES, left))):
                count += block.count(b"\n")
                left -= len(block)
    return count
