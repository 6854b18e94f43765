"""JSON lines: one object a line, its text in one field, any other field ignored.

Locator: `byte=N`, where the row begins in the (decompressed) file, so that a row is found again without counting lines.
Of a field that an object names twice the last one counts, as for all common parsers of JSON.
"""

import codecs
import json
from collections.abc import Iterator

from preprocessing.errors import PreprocessingError
from preprocessing.sources.foreign_formats import foreign_format
from preprocessing.sources.lines import NO_RECORDS, binary_lines, in_bytes, is_whole_file
from preprocessing.sources.options import ReaderOptions, RecordOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.record_text import RecordError, TextReader
from preprocessing.sources.seeking.seek_points import PlainRange
from preprocessing.sources.split import Split
from preprocessing.storage import open_file
from preprocessing.tally import DOCUMENTS_IN, Tally

REPEATED_FIELDS = "records.repeated_fields"
"""Rows that name the field of the text more than once."""
_COUNT_BYTES = 1 << 20
_MARK = codecs.BOM_UTF8
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_WIDE_BRACES = (b"{\0", b"\0{", b"\0\0\0{")


def read_jsonlines(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """Rows with text. A malformed row is rejected under `dropped.malformed`, and the rest goes on.

    Raises PreprocessingError when no row of a file is good that is read in one piece, or its first row shows another
    format: then it is no JSON lines file.
    """
    rows = seen = good = 0
    first_reason = ""
    rows_before: int | None = None
    reader = TextReader(options, tally)
    for offset, line in binary_lines(piece, options.limits.line_bytes, tally):
        rows += 1
        if piece.start == 0 and not seen and line and not line.isspace():
            _refuse_other_formats(piece.file, line)
        for begin, row in _rows_of(offset, line) if line and b"\r" in line else ((offset, line),):
            if row is not None and not row.strip():
                continue
            seen += 1
            tally.count(DOCUMENTS_IN)
            try:
                text, title = _text_and_title(row, options.records, options.limits.line_bytes, tally)
                document = reader.document(f"byte={begin}", text, title)
            except ValueError as error:
                if rows_before is None:
                    rows_before = _line_feeds_before(piece)
                reason = f"row {rows_before + rows}: {error}"
                first_reason = first_reason or reason
                tally.reject(f"{piece.file} byte={begin}", reason)
                continue
            good += 1
            yield document
    if not seen and is_whole_file(piece):
        tally.lose_part(piece.file, "no rows", NO_RECORDS)
    if first_reason and not good and is_whole_file(piece):
        raise PreprocessingError(
            f"{piece.file} has no readable row ({first_reason}); give JSON lines, one object a line in UTF-8, and "
            f"name the field that holds the text by --records.text-field (now {options.records.text_field!r})."
        )


def _refuse_other_formats(name: str, line: bytes) -> None:
    """Raises PreprocessingError where the first line of a file shows what it is instead."""
    if line.startswith(_WIDE_BRACES) or (line.startswith(_WIDE_MARKS) and b"\0" in line[:8]):
        raise PreprocessingError(
            f"{name} is in UTF-16 or UTF-32; JSON lines are in UTF-8: convert it, as by `iconv -f UTF-16 -t UTF-8`."
        )
    begin = line.removeprefix(_MARK).lstrip()
    if begin[:1] not in b"[{" and (other := foreign_format(line)):
        raise PreprocessingError(f"{name} is not JSON lines but {other}.")
    if begin[:1] == b"[" and begin[1:].lstrip()[:1] in (b"", b"{"):
        raise PreprocessingError(
            f"{name} is one JSON array, not an object a line; write a line for each, as by `jq -c '.[]'`."
        )


def _rows_of(offset: int, line: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, row) of the rows of a line: one, or several where only carriage returns end them."""
    if _is_json(line):
        yield offset, line
        return
    for row in line.split(b"\r"):
        yield offset, row
        offset += len(row) + 1


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _text_and_title(line: bytes | None, options: RecordOptions, limit_bytes: int, tally: Tally) -> tuple[str, object]:
    """Raises RecordError with the reason why the row is not usable."""
    if line is None:
        raise RecordError(f"longer than {in_bytes(limit_bytes)}")
    line = line.removeprefix(_MARK)
    try:
        row = _parsed(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RecordError(f"not valid UTF-8 at its byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise RecordError(f"not valid JSON ({error.msg} at its character {error.pos})") from None
    except RecursionError:
        raise RecordError("nested too deeply") from None
    if not isinstance(row, dict):
        raise RecordError(f"not an object but {type(row).__name__}")
    text = row.get(options.text_field)
    if not isinstance(text, str):
        held = f"; there it holds {type(text).__name__}" if text is not None else ""
        raise RecordError(
            f"no text in field {options.text_field!r}; it has "
            f"{', '.join(map(repr, list(row)[:10])) or 'no fields'}{held}"
        )
    if line.count(f'"{options.text_field}"'.encode("utf-8", "replace")) > 1 and _repeats(line, options.text_field):
        tally.count(REPEATED_FIELDS)
    return text, row.get(options.title_field)


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python reads numbers of at most 4,300 digits, which says nothing about the text beside one
        return json.loads(line, parse_int=len)


def _repeats(line: bytes, field: str) -> bool:
    """Whether the row itself, not an object in it, names the field more than once."""
    found = json.loads(line, object_pairs_hook=lambda pairs: [name for name, _ in pairs], parse_int=len)
    return isinstance(found, list) and found.count(field) > 1


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
