"""The shard format: the only writer and the only reader of training examples.

A shard is an Arrow IPC stream (what `datasets.Dataset.from_file` reads) with exactly one record batch, so that every
column is one flat buffer that maps into memory without a copy. One row is one example.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.errors import PreprocessingError
from preprocessing.shards.manifest import DocumentTableRecord, Manifest, ShardRecord

Array = npt.NDArray[Any]

_LIST_COLUMNS = ("input_ids", "masked_positions", "masked_labels")
_COLUMNS = (
    "input_ids",
    "segment_b_start",
    "masked_positions",
    "masked_labels",
    "is_random_next",
    "document_a",
    "document_b",
)


@dataclass(frozen=True, eq=False)
class Examples:
    """Ragged examples as flat arrays.

    Row r is `input_ids[token_offsets[r]:token_offsets[r + 1]]` = `[CLS] A [SEP] B [SEP]`, already masked, and its masks
    are `masked_positions` and `masked_labels` between `mask_offsets[r]` and `mask_offsets[r + 1]`. Without a second
    segment `segment_b_start` is the row's length.
    """

    token_offsets: Array
    """int32, rows + 1"""
    input_ids: Array
    """uint16, or uint32 where the vocabulary has more than 65,536 entries"""
    segment_b_start: Array
    """uint16, rows: index in the row of B's first token"""
    mask_offsets: Array
    """int32, rows + 1"""
    masked_positions: Array
    """uint16, index in the row, ascending"""
    masked_labels: Array
    """the original ids, of the type of input_ids"""
    is_random_next: Array
    """bool, rows: true where B does not follow A"""
    document_a: Array
    """uint32, rows: index into the bucket's document table"""
    document_b: Array
    """uint32, rows"""

    @property
    def rows(self) -> int:
        return len(self.segment_b_start)


@dataclass(frozen=True, eq=False)
class Shard(Examples):
    """A shard that was read: its arrays are views of the memory-mapped file, `table` the Arrow table itself."""

    table: pa.Table
    path: Path


@dataclass(frozen=True)
class ShardSet:
    """A complete folder of shards."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> "ShardSet":
        """Reads the manifest of `folder`. PreprocessingError when absent, incomplete or of an unknown version."""
        folder = Path(folder)
        return cls(folder, Manifest.read(folder))

    @property
    def fingerprint(self) -> str:
        """One sha256 over all shard hashes, as the manifest records them."""
        return self.manifest.fingerprint

    @property
    def lengths(self) -> tuple[int, ...]:
        """Sequence lengths, ascending."""
        return self.manifest.lengths

    @property
    def tokenizer_path(self) -> Path:
        """Folder of the tokenizer's files."""
        return self.folder / "tokenizer"

    def records(self, split: str = "train", length: int = 128) -> tuple[ShardRecord, ...]:
        """The shards of one split and length, by name. PreprocessingError when there is no such length."""
        if length not in self.lengths:
            raise PreprocessingError(
                f"{self.folder} has no examples of length {length}, only of {', '.join(map(str, self.lengths))}; "
                "choose one of these or build again with --sequence-lengths."
            )
        return self.manifest.records(split, length)

    def read(self, record: ShardRecord) -> Shard:
        """Maps one shard of this folder."""
        return read_shard(self.folder / record.name, record)

    def documents_of(self, record: ShardRecord) -> pa.Table:
        """The document table that a shard's `document_a` and `document_b` point into."""
        return read_table(self.folder / "documents" / Path(record.name).name)


def shard_path(folder: Path, split: str, length: int, bucket: int, buckets: int) -> Path:
    """Where the shard of one bucket lies."""
    return folder / split / str(length) / part_name(bucket, buckets)


def documents_path(folder: Path, bucket: int, buckets: int) -> Path:
    """Where the document table of one bucket lies."""
    return folder / "documents" / part_name(bucket, buckets)


def part_name(bucket: int, buckets: int) -> str:
    return f"part-{bucket:05d}-of-{buckets:05d}.arrow"


def write_shard(path: Path, examples: Examples, metadata: Mapping[str, str]) -> ShardRecord:
    """Writes one shard under FOLDER/SPLIT/LENGTH/NAME and returns its record; `metadata` goes into the schema.

    The file is complete or absent. The bytes depend on the arguments alone.
    """
    split, length, _ = path.parts[-3:]
    sha256, size = write_table(path, _table(examples), metadata)
    values, counts = np.unique(np.diff(examples.token_offsets), return_counts=True)
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
        length_histogram=dict(zip(values.tolist(), counts.tolist(), strict=True)),
    )


def write_documents(path: Path, table: pa.Table, metadata: Mapping[str, str]) -> DocumentTableRecord:
    """Writes the document table of a bucket under FOLDER/documents/NAME."""
    sha256, size = write_table(path, table, metadata)
    return DocumentTableRecord(name="/".join(path.parts[-2:]), rows=table.num_rows, sha256=sha256, bytes=size)


def write_table(path: Path, table: pa.Table, metadata: Mapping[str, str]) -> tuple[str, int]:
    """Writes `table` as a stream with one record batch; returns the file's sha256 (hexadecimal) and size in bytes."""
    table = table.combine_chunks().replace_schema_metadata(dict(sorted(metadata.items())))
    batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    with replacing(path) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_batch(batches[0])
        with temporary.open("rb") as written:
            sha256 = hashlib.file_digest(written, "sha256").hexdigest()
            size = written.seek(0, 2)
    return sha256, size


def read_shard(path: str | Path, record: ShardRecord | None = None) -> Shard:
    """Maps a shard; with its `record` the size and the number of rows are checked (not the hash: `verify` does that).

    Raises PreprocessingError, naming the file, when it is missing, truncated or not a shard.
    """
    path = Path(path)
    table = read_table(path)
    if tuple(table.column_names) != _COLUMNS:
        raise PreprocessingError(f"{path} is not a shard: its columns are {table.column_names}; build it again.")
    if record is not None and (table.num_rows != record.rows or path.stat().st_size != record.bytes):
        raise PreprocessingError(
            f"{path} has {table.num_rows} rows in {path.stat().st_size} bytes, the manifest says {record.rows} rows in "
            f"{record.bytes} bytes; remove the folder and build it again."
        )
    ragged = {name: table.column(name).chunk(0) for name in _LIST_COLUMNS}
    return Shard(
        token_offsets=ragged["input_ids"].offsets.to_numpy(),
        input_ids=ragged["input_ids"].values.to_numpy(),
        segment_b_start=table.column("segment_b_start").chunk(0).to_numpy(),
        mask_offsets=ragged["masked_positions"].offsets.to_numpy(),
        masked_positions=ragged["masked_positions"].values.to_numpy(),
        masked_labels=ragged["masked_labels"].values.to_numpy(),
        is_random_next=table.column("is_random_next").chunk(0).to_numpy(zero_copy_only=False),
        document_a=table.column("document_a").chunk(0).to_numpy(),
        document_b=table.column("document_b").chunk(0).to_numpy(),
        table=table,
        path=path,
    )


def read_table(path: Path) -> pa.Table:
    """Maps an Arrow stream that holds one record batch. PreprocessingError when missing, truncated or corrupt."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            batches = list(reader)
            table = pa.Table.from_batches(batches, reader.schema)
        table.validate()
    except FileNotFoundError as error:
        raise PreprocessingError(f"{path} is missing; run the build again with the same command.") from error
    except (pa.ArrowException, OSError) as error:
        raise PreprocessingError(f"{path} is truncated or corrupt; remove the folder and build it again.") from error
    if len(batches) != 1:
        raise PreprocessingError(f"{path} holds {len(batches)} record batches, not one; build it again.")
    return table


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
