"""The only writer of shards: complete or absent, and the same bytes for the same examples."""

import hashlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.errors import PreprocessingError
from preprocessing.examples.arrays import Array, Examples
from preprocessing.shards.records import DocumentTableRecord, ShardRecord
from preprocessing.storage import Location


def shard_path(folder: Location, split: str, length: int, bucket: int, buckets: int) -> Location:
    """Where the shard of one bucket lies."""
    return folder / split / str(length) / part_name(bucket, buckets)


def documents_path(folder: Location, bucket: int, buckets: int) -> Location:
    """Where the document table of one bucket lies."""
    return folder / "documents" / part_name(bucket, buckets)


def duplicates_path(folder: Location, bucket: int, buckets: int) -> Location:
    """Where it is told which documents of a bucket duplicate each other, if any do."""
    return folder / "duplicates" / part_name(bucket, buckets)


def part_name(bucket: int, buckets: int) -> str:
    """The name of a bucket's file in each of its folders."""
    return f"part-{bucket:05d}-of-{buckets:05d}.arrow"


def write_shard(path: Location, examples: Examples, metadata: Mapping[str, str]) -> ShardRecord:
    """Writes one shard under FOLDER/SPLIT/LENGTH/NAME and returns its record; `metadata` goes into the schema.

    The file is complete or absent. The bytes depend on the arguments alone.
    """
    split, length, _ = path.parts[-3:]
    sha256, size = write_table(path, _table(examples), metadata)
    counts = np.bincount(np.diff(examples.token_offsets))
    lengths = np.flatnonzero(counts)
    return ShardRecord(
        name="/".join(path.parts[-3:]),
        split=split,
        length=int(length),
        rows=examples.rows,
        tokens=len(examples.input_ids),
        masked_tokens=len(examples.masked_positions),
        random_pairs=int(np.count_nonzero(examples.is_random_next)),
        sha256=sha256,
        bytes=size,
        length_histogram=dict(zip(lengths.tolist(), counts[lengths].tolist(), strict=True)),
    )


def write_documents(path: Location, table: pa.Table, metadata: Mapping[str, str]) -> DocumentTableRecord:
    """Writes the document table of a bucket under FOLDER/documents/NAME."""
    sha256, size = write_table(path, table, metadata)
    return DocumentTableRecord(name="/".join(path.parts[-2:]), rows=table.num_rows, sha256=sha256, bytes=size)


def write_table(path: Location, table: pa.Table, metadata: Mapping[str, str]) -> tuple[str, int]:
    """Writes `table` as a stream with one record batch; returns the file's sha256 (hexadecimal) and size in bytes."""
    table = table.combine_chunks().replace_schema_metadata(dict(sorted(metadata.items())))
    batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    with replacing(path) as temporary, temporary.open("wb") as file:
        hashed = _HashedFile(file)
        with pa.PythonFile(hashed, mode="w") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_batch(batches[0])
        return hashed.sha256.hexdigest(), file.tell()


class _HashedFile:
    """Writes to a file and hashes what it writes: nothing has to be read again."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, content: Any) -> None:
        self.sha256.update(content)
        self._file.write(content)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Left to whoever opened the file."""


def _table(examples: Examples) -> pa.Table:
    def ragged(offsets: Array, values: Array) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32, copy=False)), pa.array(values))

    if examples.token_offsets[-1] > np.iinfo(np.int32).max:
        raise PreprocessingError(
            "A shard would hold more than 2^31 tokens; lower --bucket-bytes or --duplicate-factor."
        )
    return pa.table(
        {
            "input_ids": ragged(examples.token_offsets, examples.input_ids),
            "segment_b_start": pa.array(examples.segment_b_start.astype(np.uint16, copy=False)),
            "masked_positions": ragged(examples.mask_offsets, examples.masked_positions.astype(np.uint16, copy=False)),
            "masked_labels": ragged(examples.mask_offsets, examples.masked_labels),
            "is_random_next": pa.array(examples.is_random_next.astype(bool, copy=False)),
            "document_a": pa.array(examples.document_a.astype(np.uint32, copy=False)),
            "document_b": pa.array(examples.document_b.astype(np.uint32, copy=False)),
        }
    )
