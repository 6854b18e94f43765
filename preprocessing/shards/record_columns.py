"""The records of a manifest as columns: a build of 75,000 buckets has 300,000 shards, too many for an object each.

Whoever sums or chooses takes columns (int64, views of the mapped table); whoever looks at one file takes its record.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.examples.arrays import Array
from preprocessing.shards.record_packing import (
    HISTOGRAM_SCHEMA,
    SHA256,
    SHARD_SCHEMA,
    Load,
    PackedShards,
    by_name,
    flat,
    packed,
)
from preprocessing.shards.records import DocumentTableRecord, FileRecord, InputRecord, Record, ShardRecord

_AT_A_TIME = 8192

R = TypeVar("R", bound=Record)


class Records(Sequence[R], Generic[R]):
    """The rows of one table, which is read when it is first asked for. An item is a record, a slice columns again."""

    schema: ClassVar[pa.Schema]
    record: ClassVar[type[Record]]

    def __init__(self, load: Load) -> None:
        self._load = load

    @classmethod
    def of(cls, records: Iterable[R]) -> Self:
        """Columns of records, which are taken one at a time and not kept."""
        table = packed(cls.schema, records)
        return cls(lambda: table)

    @cached_property
    def table(self) -> pa.Table:
        """The Arrow table, of `schema`. PreprocessingError where its file is not what was written."""
        return self._load()

    def column(self, name: str) -> Array:
        """A column of whole numbers: int64 [rows of the table], without a copy."""
        values: Array = flat(self.table, name).to_numpy()
        return values

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, place: int) -> R: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> R | Self:
        if isinstance(place, slice):
            return self.take(np.arange(len(self))[place])
        number = range(len(self))[place]
        return self._records(number, number + 1)[0]

    def __iter__(self) -> Iterator[R]:
        for begin in range(0, len(self), _AT_A_TIME):
            yield from self._records(begin, begin + _AT_A_TIME)

    def take(self, places: Array) -> Self:
        """The rows at `places` (int64); a view where these are neighbours, ascending."""
        return type(self)(lambda: _chosen(self.table, places))

    def _records(self, begin: int, end: int) -> list[R]:
        return [self.record(**row) for row in self._rows(begin, end)]  # type: ignore[misc]

    def _rows(self, begin: int, end: int) -> list[dict[str, Any]]:
        """Rows as the fields of a record; `end` may lie behind the last one."""
        rows: list[dict[str, Any]] = self.table.slice(begin, end - begin).to_pylist()
        return rows


class InputRecords(Records[InputRecord]):
    """All input files."""

    schema = pa.schema([("source", pa.string()), ("file", pa.string()), ("bytes", pa.int64()), ("splits", pa.int64())])
    record = InputRecord


class FileRecords(Records[R]):
    """Records of files, ascending by name; no name comes twice."""

    @classmethod
    def of(cls, records: Iterable[R]) -> Self:
        """Columns of records, which are taken one at a time and not kept."""
        table = by_name(packed(cls.schema, records))
        return cls(lambda: table)

    @property
    def rows(self) -> Array:
        """int64 [files]: rows of each."""
        return self.column("rows")

    @property
    def bytes(self) -> Array:
        """int64 [files]: size of each."""
        return self.column("bytes")

    @property
    def sha256(self) -> Array:
        """uint8 [files, 32]: hash of each."""
        digests, width = flat(self.table, "sha256"), SHA256.byte_width
        values = np.frombuffer(digests.buffers()[1], np.uint8, len(digests) * width, digests.offset * width)
        return values.reshape(-1, width)

    def file(self, place: int) -> FileRecord:
        """What there is to check of the file at `place`."""
        (record,) = self._files(place, place + 1)
        return record

    def files(self) -> Iterator[FileRecord]:
        """The same of all files, by name."""
        for begin in range(0, len(self), _AT_A_TIME):
            yield from self._files(begin, begin + _AT_A_TIME)

    def find(self, name: str) -> int | None:
        """The place of the file of that name; None where there is none."""
        place = int(pc.index(flat(self.table, "name"), name).as_py())
        return place if place >= 0 else None

    def _files(self, begin: int, end: int) -> Iterator[FileRecord]:
        piece = self.table.slice(begin, end - begin)
        names, rows, digests, sizes = (piece[name].to_pylist() for name in ("name", "rows", "sha256", "bytes"))
        for name, count, digest, size in zip(names, rows, digests, sizes, strict=True):
            yield FileRecord(name, count, digest.hex(), size)

    def _rows(self, begin: int, end: int) -> list[dict[str, Any]]:
        return [row | {"sha256": row["sha256"].hex()} for row in super()._rows(begin, end)]


class DocumentTableRecords(FileRecords[DocumentTableRecord]):
    """The document tables of all buckets."""

    schema = pa.schema([("name", pa.string()), ("rows", pa.int64()), ("sha256", SHA256), ("bytes", pa.int64())])
    record = DocumentTableRecord


class ShardRecords(FileRecords[ShardRecord]):
    """Shards; their histograms of lengths are a table of their own, which few ask for and which is the largest."""

    schema = SHARD_SCHEMA
    record = ShardRecord

    def __init__(self, load: Load, load_histograms: Load = lambda: HISTOGRAM_SCHEMA.empty_table()) -> None:
        super().__init__(load)
        self._load_histograms = load_histograms

    @classmethod
    def of(cls, records: Iterable[ShardRecord]) -> Self:
        """Columns of records, which are taken one at a time and not kept."""
        shards = PackedShards()
        shards.add(records)
        return cls(*shards.finish())

    @cached_property
    def histograms(self) -> pa.Table:
        """The histograms of all shards, of `HISTOGRAM_SCHEMA`: tokens ascending, and as many rows."""
        return self._load_histograms()

    def take(self, places: Array) -> Self:
        """The rows at `places` (int64); a view where these are neighbours, ascending."""
        return type(self)(lambda: _chosen(self.table, places), lambda: _chosen(self.histograms, places))

    def of_split(self, split: str, length: int) -> Self:
        """The shards of one split and length."""
        of_split = pc.equal(flat(self.table, "split"), split).to_numpy(zero_copy_only=False)
        return self.take(np.flatnonzero(of_split & (self.column("length") == length)))

    def with_rows(self) -> Self:
        """Those that hold an example."""
        return self.take(np.flatnonzero(self.rows > 0))

    def length_histogram(self) -> dict[int, int]:
        """Tokens of an example, ascending → number of examples, over all shards."""
        total = np.zeros(np.iinfo(np.uint16).max + 1, np.int64)
        for begin in range(0, len(self), _AT_A_TIME):
            piece = self.histograms.slice(begin, _AT_A_TIME)
            tokens, rows = (flat(piece, name).flatten().to_numpy() for name in HISTOGRAM_SCHEMA.names)
            # float64 adds whole numbers exactly up to 2^53.
            total += np.bincount(tokens, rows, minlength=len(total)).astype(np.int64)
        return {int(tokens): int(total[tokens]) for tokens in np.flatnonzero(total)}

    def _rows(self, begin: int, end: int) -> list[dict[str, Any]]:
        histograms = self.histograms.slice(begin, end - begin).to_pylist()
        return [
            row | {"length_histogram": dict(zip(found["tokens"], found["rows"], strict=True))}
            for row, found in zip(super()._rows(begin, end), histograms, strict=True)
        ]


def _chosen(table: pa.Table, places: Array) -> pa.Table:
    if len(places) and np.array_equal(places, np.arange(places[0], places[0] + len(places))):
        return table.slice(int(places[0]), len(places))
    return table.take(pa.array(places, pa.int64()))
