"""Parquet files, as `datasets` and data frames write them: a row, a record, with lists and structures as they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError, from_system
from finetuning.tasks.records import Columns, first_twice, names_in

ROWS_AT_A_TIME = 256


def parquet_records(path: Path, columns: Columns, *, also: Iterable[str] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a Parquet file with their places, rows counted from 0. Only columns that are asked for are decoded.

    Args:
        path: the file.
        columns: the task's columns, by name; each must exist.
        also: further columns, which are taken where they are there.

    Raises:
        FinetuningError: it is no Parquet file, damaged, without a column or with two of its name, or a text in it is
            not UTF-8.
    """
    import pyarrow.parquet as pq  # late: it costs a fifth of a second, and few tasks need it

    row = 0
    try:
        file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
        wanted = _wanted(path, file.schema_arrow.names, columns, also)
        for batch in file.iter_batches(ROWS_AT_A_TIME, columns=wanted):
            values = [column.to_pylist() for column in batch.columns]
            for fields in zip(*values, strict=True):
                yield f"{path}: row {row}", dict(zip(batch.schema.names, fields, strict=True))
                row += 1
        if row != file.metadata.num_rows:
            raise FinetuningError(f"{path}: it has {row} rows and declares {file.metadata.num_rows}; fetch it again")
    except FinetuningError:
        raise
    except UnicodeDecodeError:
        raise FinetuningError(f"{path}: a text from row {row} on is not UTF-8; write the file again") from None
    except Exception as error:  # damaged: pyarrow raises its own, and what they are derived from
        if isinstance(error, OSError) and error.errno:
            raise from_system(OSError(error.errno, os.strerror(error.errno)), f"{path}: cannot be read") from None
        said = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
        raise FinetuningError(f"{path}: no readable Parquet file from row {row} on ({said}); fetch it again") from None


def _wanted(path: Path, names: list[str], columns: Columns, also: Iterable[str]) -> list[str]:
    """The columns to read, in the file's order; none of them may stand there twice. Others may hold anything.

    A column that is missing is told by the first record, as in JSON lines.
    """
    asked = {str(name) for column in columns.values() for name in names_in(column)} | set(also)
    used = [name for name in names if name in asked]
    if twice := first_twice(used):
        raise FinetuningError(f"{path}: it has two columns {twice!r}; rename one")
    if not used:
        raise FinetuningError(f"{path}: it has none of the columns {', '.join(sorted(asked))}, but {', '.join(names)}")
    return used
