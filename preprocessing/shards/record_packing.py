"""Records become columns one at a time: none is kept, so the end of a build does not grow with what they say."""

from array import array
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.examples.arrays import Array
from preprocessing.shards.records import Record, ShardRecord

SHA256 = pa.binary(32)
SHARD_SCHEMA = pa.schema(
    [
        *(("name", pa.string()), ("split", pa.string())),
        *((name, pa.int64()) for name in ("length", "rows", "tokens", "masked_tokens", "random_pairs")),
        *(("sha256", SHA256), ("bytes", pa.int64())),
    ]
)
HISTOGRAM_SCHEMA = pa.schema([("tokens", pa.large_list(pa.uint16())), ("rows", pa.large_list(pa.uint32()))])
"""Tokens of an example → number of examples, a row a shard."""

Load = Callable[[], pa.Table]


class PackedShards:
    """Records of shards as they come, packed: 6 bytes for each length that occurs in a shard, and about 150 more."""

    def __init__(self) -> None:
        self._columns = _Columns(SHARD_SCHEMA)
        self._edges, self._tokens, self._rows = array("q", [0]), array("H"), array("I")

    def add(self, records: Iterable[ShardRecord]) -> None:
        """Takes what they say; the records themselves are not kept."""
        for record in records:
            self._columns.append(record)
            self._tokens.extend(sorted(record.length_histogram))
            self._rows.extend(record.length_histogram[tokens] for tokens in sorted(record.length_histogram))
            self._edges.append(len(self._tokens))

    def finish(self) -> tuple[Load, Load]:
        """The table of the shards, by name, and that of their histograms, as `ShardRecords` takes them."""
        table = self._columns.finish()
        edges = pa.array(np.frombuffer(self._edges, np.int64))
        columns = ((self._tokens, np.uint16), (self._rows, np.uint32))
        lists = pa.table(
            [pa.LargeListArray.from_arrays(edges, pa.array(np.frombuffer(values, kind))) for values, kind in columns],
            schema=HISTOGRAM_SCHEMA,
        )
        order = _order_by_name(table)
        if order is not None:
            table, lists = table.take(order), lists.take(order)
        return lambda: table, lambda: lists


def packed(schema: pa.Schema, records: Iterable[Record]) -> pa.Table:
    """A table of records, in their order."""
    columns = _Columns(schema)
    for record in records:
        columns.append(record)
    return columns.finish()


def by_name(table: pa.Table) -> pa.Table:
    """The table with its rows ascending by name; the same where they are."""
    order = _order_by_name(table)
    return table if order is None else table.take(order)


class _Columns:
    """The columns of a schema as they grow."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns = [_Column(field.type) for field in schema]

    def append(self, record: Record) -> None:
        for column, name in zip(self._columns, self._schema.names, strict=True):
            column.append(getattr(record, name))

    def finish(self) -> pa.Table:
        return pa.table([column.finish() for column in self._columns], schema=self._schema)


class _Column:
    """One column as it grows, packed: numbers of 8 bytes, digests of 32."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._numbers, self._digests, self._texts = array("q"), bytearray(), list[str]()

    def append(self, value: Any) -> None:
        if self._kind == SHA256:
            self._digests += bytes.fromhex(value)
        elif self._kind == pa.int64():
            self._numbers.append(value)
        else:
            self._texts.append(value)

    def finish(self) -> pa.Array:
        if self._kind == SHA256:
            rows = len(self._digests) // SHA256.byte_width
            return pa.Array.from_buffers(SHA256, rows, [None, pa.py_buffer(self._digests)])
        if self._kind == pa.int64():
            return pa.array(np.frombuffer(self._numbers, np.int64))
        return pa.array(self._texts, self._kind)


def flat(table: pa.Table, name: str) -> pa.Array:
    """A column as one array, without a copy where it is one."""
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def ascend(names: pa.Array) -> bool:
    """Whether each is behind the one before it, as bytes: then none comes twice."""
    return bool(pc.all(pc.less(names[:-1], names[1:]), min_count=0).as_py())


def _order_by_name(table: pa.Table) -> Array | None:
    """The order of its rows by name; None where they lie in it."""
    names = flat(table, "name")
    if ascend(names):
        return None
    order: Array = pc.sort_indices(names).to_numpy().astype(np.int64)
    return order
