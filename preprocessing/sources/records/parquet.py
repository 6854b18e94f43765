"""Parquet: one row, one document; read by row groups, a few rows at a time.

Locator: `row=N`, counted from 0 in the file.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.record_text import paragraphs_of_record
from preprocessing.sources.split import Split
from preprocessing.storage import is_remote, open_file
from preprocessing.tally import DOCUMENTS_IN, Tally

_ROWS_AT_A_TIME = 256


def row_group_ranges(path: str, name: str, split_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges of row groups of about `split_bytes` as stored, at least one row group each."""
    metadata = _open(path, name).metadata
    start = stored = 0
    for group in range(metadata.num_row_groups):
        columns = metadata.row_group(group)
        size = sum(columns.column(index).total_compressed_size for index in range(columns.num_columns))
        if group > start and stored + size > split_bytes:
            yield start, group
            start, stored = group, 0
        stored += size
    if metadata.num_row_groups:
        yield start, metadata.num_row_groups


def read_parquet(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """Rows with text; a null is rejected under `dropped.malformed`. Raises PreprocessingError without a text column."""
    file = _open(piece.path, piece.file)
    records = options.records
    _check_text_column(file, piece.file, records.text_field)
    columns = [records.text_field]
    has_title = records.title_field in file.schema_arrow.names
    if has_title and records.title_field != records.text_field:
        columns.append(records.title_field)
    row = sum(file.metadata.row_group(group).num_rows for group in range(piece.start))
    groups = list(range(piece.start, piece.end))
    try:
        for batch in file.iter_batches(_ROWS_AT_A_TIME, row_groups=groups, columns=columns):
            texts = batch.column(records.text_field)
            titles = batch.column(records.title_field) if has_title else None
            for index in range(batch.num_rows):
                tally.count(DOCUMENTS_IN)
                text = texts[index].as_py()
                locator = f"row={row}"
                row += 1
                if text is None:
                    tally.reject(f"{piece.file} {locator}", f"null in column {records.text_field!r}")
                    continue
                title = titles[index].as_py() if titles is not None else None
                yield RawDocument(locator, title if isinstance(title, str) else "", paragraphs_of_record(text))
    except (pa.ArrowException, OSError) as error:
        raise PreprocessingError(
            f"{piece.file} is damaged near row {row} ({_first_line(error)}); fetch it again or leave it out."
        ) from error


def _open(path: str, name: str) -> pq.ParquetFile:
    try:
        source = open_file(path) if is_remote(path) else path  # pyarrow reads a local file faster than Python does
        return pq.ParquetFile(source, memory_map=False, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise PreprocessingError(
            f"{name} is not a readable Parquet file ({_first_line(error)}); fetch it again or leave it out."
        ) from error


def _check_text_column(file: pq.ParquetFile, name: str, column: str) -> None:
    schema = file.schema_arrow
    if column not in schema.names:
        raise PreprocessingError(
            f"{name} has no column {column!r} but {', '.join(map(repr, schema.names[:20]))}; "
            "name the one that holds the text by --records.text-field."
        )
    kind = schema.field(column).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise PreprocessingError(
            f"{name}: column {column!r} holds {kind}, not text; name another by --records.text-field."
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
