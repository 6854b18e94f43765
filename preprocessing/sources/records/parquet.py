"""Parquet: one row, one document; read by row groups, a few rows at a time.

Locator: `row=N`, counted from 0 in the file. Text is what is called a string, or bytes: older writers say no more.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.errors import PreprocessingError, of_system
from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.foreign_formats import HEAD_BYTES, foreign_format
from preprocessing.sources.lines import NO_RECORDS
from preprocessing.sources.options import ReaderOptions, RecordOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.record_text import RecordError, TextReader
from preprocessing.sources.records.text_columns import holds_text, values_of
from preprocessing.sources.split import Split
from preprocessing.storage import is_remote, open_file, status
from preprocessing.tally import DAMAGED, DOCUMENTS_IN, Tally

LOST_ROWS = f"{DAMAGED}parquet_rows"
"""Rows of row groups that could not be decoded."""
_ROWS_AT_A_TIME = 256
_BYTES_AT_A_TIME = 64 << 20


def row_group_ranges(
    path: str, name: str, split_bytes: int, records: RecordOptions | None = None
) -> Iterator[tuple[int, int]]:
    """Ranges of row groups of about `split_bytes` as stored, at least one row group each; one for a file without any.

    Raises PreprocessingError where the file is damaged, or has no column of text as `records` asks.
    """
    file = _open(path, name)
    try:
        if records is not None:
            _check_columns(file, name, records)
        metadata = file.metadata
        # Of a column's metadata that is damaged pyarrow 25 ends the process (its `ColumnChunk` is declared as one that
        # throws nothing), so what a row group takes of the file is told by its share of the decoded bytes.
        groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
        decoded = [max(group.total_byte_size, 1) for group in groups]
        file_bytes = status(path).st_size
        whole, start, stored = sum(decoded), 0, 0
        for group, share in enumerate(decoded):
            size = file_bytes * share // whole
            if group > start and stored + size > split_bytes:
                yield start, group
                start, stored = group, 0
            stored += size
        yield start, max(metadata.num_row_groups, 1)
    except PreprocessingError:
        raise
    except Exception as error:  # damaged metadata: pyarrow raises what comes of it
        raise _unreadable(name, error) from error


def read_parquet(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """Rows with text; a null, or bytes that are no UTF-8, is rejected under `dropped.malformed`.

    Of a damaged row group the rows before the damage are read, and then all other row groups, before PreprocessingError
    is raised; it is at once without a column of text.
    """
    file = _open(piece.path, piece.file)
    _check_columns(file, piece.file, options.records)
    metadata = file.metadata
    first = sum(metadata.row_group(group).num_rows for group in range(piece.start))
    reader = TextReader(options, tally)
    if piece.start == 0 and not metadata.num_rows:
        tally.lose_part(piece.file, "no rows", NO_RECORDS)
    faults: list[PreprocessingError] = []
    for group in range(piece.start, min(piece.end, metadata.num_row_groups)):
        rows = metadata.row_group(group).num_rows
        row = first
        try:
            for text, title in _rows(file, group, options.records):
                tally.count(DOCUMENTS_IN)
                locator = f"row={row}"
                row += 1
                try:
                    yield reader.document(locator, text, title)
                except RecordError as error:
                    tally.reject(f"{piece.file} {locator}", str(error))
            if row != first + rows:
                raise pa.ArrowInvalid(f"it has {row - first:,} rows and declares {rows:,}")
        except PreprocessingError:
            raise
        except Exception as error:  # pyarrow raises its own, and what they are derived from
            lost = f"{piece.file} row={row} to row={max(row, first + rows - 1)}"
            tally.lose_part(
                lost, f"row group {group} is damaged ({_first_line(error)})", LOST_ROWS, max(1, first + rows - row)
            )
            faults.append(
                _of(
                    error,
                    f"{piece.file} is damaged near row {row} (row group {group}: {_first_line(error)}); fetch it again "
                    "or leave it out, or pass --skip-bad-files, which keeps its other row groups.",
                )
            )
        first += rows
    if faults:
        raise faults[0]


def _first_line(error: Exception) -> str:
    """What a library says, for a sentence."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".") or type(error).__name__


def _rows(file: pq.ParquetFile, group: int, records: RecordOptions) -> Iterator[tuple[object, object]]:
    """Text and title of every row of a group: None, str, or bytes where one of some rows is not UTF-8."""
    names = file.schema_arrow.names
    has_title = names.count(records.title_field) == 1 and holds_text(file.schema_arrow.field(records.title_field).type)
    columns = [records.text_field, *([records.title_field] if has_title else [])]
    for batch in file.iter_batches(
        _rows_at_a_time(file, group), row_groups=[group], columns=list(dict.fromkeys(columns))
    ):
        texts = values_of(batch.column(records.text_field))
        titles = values_of(batch.column(records.title_field)) if has_title else [None] * batch.num_rows
        yield from zip(texts, titles, strict=True)


def _rows_at_a_time(file: pq.ParquetFile, group: int) -> int:
    metadata = file.metadata.row_group(group)
    rows = max(metadata.num_rows, 1)
    return max(1, min(_ROWS_AT_A_TIME, _BYTES_AT_A_TIME * rows // max(metadata.total_byte_size, 1)))


def _open(path: str, name: str) -> pq.ParquetFile:
    try:
        source = open_file(path) if is_remote(path) else path  # pyarrow reads a local file faster than Python does
        return pq.ParquetFile(source, memory_map=False, pre_buffer=False)
    except PreprocessingError:
        raise
    except Exception as error:
        raise _other_format(path, name) or _unreadable(name, error) from error


def _other_format(path: str, name: str) -> PreprocessingError | None:
    """What is said of a file that is no Parquet, where its beginning shows what it is."""
    try:
        if compression := detect_compression(path):
            return PreprocessingError(f"{name} is not Parquet but {compression} data; unpack it.")
        with open_file(path) as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:
        return None
    if head.startswith(b"PARE"):
        return PreprocessingError(f"{name} is encrypted Parquet; write it without encryption.")
    other = "" if head.startswith(b"PAR1") else foreign_format(head)
    return PreprocessingError(f"{name} is not Parquet but {other}.") if other else None


def _check_columns(file: pq.ParquetFile, name: str, records: RecordOptions) -> None:
    """Raises PreprocessingError where there is not one column of text."""
    try:
        schema = file.schema_arrow
        names, column = schema.names, records.text_field
        if names.count(column) > 1:
            raise PreprocessingError(
                f"{name} has {names.count(column)} columns named {column!r}; write it with one of them, or name "
                "another by --records.text-field."
            )
        if column not in names:
            raise PreprocessingError(
                f"{name} has no column {column!r} but {', '.join(map(repr, names[:20])) or 'none at all'}; "
                "name the one that holds the text by --records.text-field."
            )
        kind = schema.field(column).type
    except UnicodeDecodeError as error:
        raise _unreadable(name, error) from error
    if not (holds_text(kind) or pa.types.is_null(kind)):  # a part without any text may have no type for it
        raise PreprocessingError(
            f"{name}: column {column!r} holds {kind}, not text; name another by --records.text-field."
        )


def _unreadable(name: str, error: Exception) -> PreprocessingError:
    return _of(error, f"{name} is not a readable Parquet file ({_first_line(error)}); fetch it again or leave it out.")


def _of(error: Exception, sentence: str) -> PreprocessingError:
    return of_system(error, sentence) if isinstance(error, OSError) and error.errno else PreprocessingError(sentence)
