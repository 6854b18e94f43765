"""The only reader of shards: mapped, checked against the manifest, without a copy.

A shard is an Arrow IPC stream (what `datasets.Dataset.from_file` reads) with exactly one record batch, so that every
column is one flat buffer. One row is one example.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from preprocessing.errors import PreprocessingError, of_system
from preprocessing.examples.arrays import Examples
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.record_columns import ShardRecords
from preprocessing.shards.records import FileRecord, ShardRecord
from preprocessing.storage import Location, location, mapped_source

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
class Shard(Examples):
    """A shard that was read: its arrays are views of the memory-mapped file, `table` the Arrow table itself."""

    table: pa.Table
    path: Location


@dataclass(frozen=True)
class ShardSet:
    """A complete folder of shards."""

    folder: Location
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Location) -> "ShardSet":
        """Reads the manifest of `folder`. PreprocessingError when absent, incomplete or of an unknown version."""
        folder = location(folder)
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
    def tokenizer_path(self) -> Location:
        """Folder of the tokenizer's files."""
        return self.folder / "tokenizer"

    def records(self, split: str = "train", length: int = 128) -> ShardRecords:
        """The shards of one split and length, by name. PreprocessingError when there is no such length."""
        if length not in self.lengths:
            raise PreprocessingError(
                f"{self.folder} has no examples of length {length}, only of {', '.join(map(str, self.lengths))}; "
                "choose one of these or build again with --sequence-lengths."
            )
        return self.manifest.records(split, length)

    def read(self, record: ShardRecord | FileRecord) -> Shard:
        """Maps one shard of this folder."""
        return read_shard(self.folder / record.name, record)

    def documents_of(self, record: ShardRecord | FileRecord) -> pa.Table:
        """The document table that a shard's `document_a` and `document_b` point into."""
        return read_table(self.folder / "documents" / Path(record.name).name)


def read_shard(path: str | Location, record: ShardRecord | FileRecord | None = None) -> Shard:
    """Maps a shard; with its `record` the size and the number of rows are checked (not the hash: `verify` does that).

    Raises PreprocessingError, naming the file, when it is missing, truncated or not a shard.
    """
    path = location(path)
    table = read_table(path)
    _check_schema(path, table)
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


def _check_schema(path: Location, table: pa.Table) -> None:
    """The columns are exactly those that `writer` makes; whoever follows their addresses relies on every type."""
    if tuple(table.column_names) != _COLUMNS:
        raise PreprocessingError(f"{path} is not a shard: its columns are {table.column_names}; build it again.")
    wide = table.schema.field("input_ids").type == pa.list_(pa.uint32())
    ids = pa.uint32() if wide else pa.uint16()
    types = (
        *(pa.list_(ids), pa.uint16(), pa.list_(pa.uint16()), pa.list_(ids)),
        *(pa.bool_(), pa.uint32(), pa.uint32()),
    )
    for name, wanted in zip(_COLUMNS, types, strict=True):
        column = table.column(name)
        if column.type != wanted:
            raise PreprocessingError(
                f"{path} is not a shard: its column {name} is {column.type}, not {wanted}; build it again."
            )
        if column.null_count or (pa.types.is_list(wanted) and column.chunk(0).values.null_count):
            raise PreprocessingError(f"{path} is not a shard: its column {name} has nulls; build it again.")


def read_table(path: Location) -> pa.Table:
    """Maps an Arrow stream that holds one record batch; a remote one is loaded.

    PreprocessingError when missing, truncated or corrupt; TransientError for trouble that may pass.
    """
    try:
        with mapped_source(path) as source, pa.ipc.open_stream(source) as reader:
            batches = list(reader)
            table = pa.Table.from_batches(batches, reader.schema)
        table.validate()
    except FileNotFoundError as error:
        raise PreprocessingError(f"{path} is missing; run the build again with the same command.") from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # Arrow's own, about a file that ends too soon, has no number
            raise of_system(error, f"{path} cannot be read ({error.strerror}); mend that and try again.") from error
        raise PreprocessingError(f"{path} is truncated or corrupt; remove the folder and build it again.") from error
    if len(batches) != 1:
        raise PreprocessingError(f"{path} holds {len(batches)} record batches, not one; build it again.")
    return table
