"""Documents dealt to buckets, in one step or in two.

Every split deals to every bucket it has documents for, so with many of both the record batches, and the times that a
file is opened, would grow with the square of the corpus. Beyond `DIRECT_BUCKETS` a split therefore deals to
`PARTITIONS` partitions, of neighbouring buckets each, and a second step deals each partition to its buckets: both
numbers then grow with the splits and the buckets, not with their product.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from preprocessing.tokens.corpus import Array

DIRECT_BUCKETS = 512
PARTITIONS = 256


@dataclass(frozen=True)
class Partitions:
    """How `buckets` buckets are grouped."""

    buckets: int

    @property
    def count(self) -> int:
        """Partitions that splits deal to."""
        return self.buckets if self.direct else PARTITIONS

    @property
    def direct(self) -> bool:
        """Whether a partition is a bucket, so that there is no second step."""
        return self.buckets <= DIRECT_BUCKETS

    def buckets_of(self, partition: int) -> range:
        """The buckets of a partition: all partitions tile all buckets in order."""
        first, end = (-(-number * self.buckets // self.count) for number in (partition, partition + 1))
        return range(first, end)

    def bucket_of(self, batch: pa.RecordBatch | pa.Table) -> Array:
        """uint64, by document: the bucket, which the document's content chooses."""
        return batch.column("key_high").to_numpy() % np.uint64(self.buckets)

    def partition_of(self, batch: pa.RecordBatch | pa.Table) -> Array:
        """uint64, by document: the partition of its bucket."""
        return self.bucket_of(batch) * np.uint64(self.count) // np.uint64(self.buckets)


def held(batches: Iterable[pa.RecordBatch], tokens: int) -> Iterator[pa.Table]:
    """The batches joined into tables of about so many tokens."""
    gathered: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        gathered.append(batch)
        size += len(batch.column("tokens").flatten())
        if size >= tokens:
            yield pa.Table.from_batches(gathered)
            gathered, size = [], 0
    if gathered:
        yield pa.Table.from_batches(gathered)


def deal(table: pa.Table, number: Array, writer: pa.ipc.RecordBatchFileWriter) -> list[tuple[int, int]]:
    """Writes one record batch for every number that occurs, ascending; returns (number, documents) of each.

    `number` is by document: its bucket, or its partition.
    """
    order = np.argsort(number, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    found, counts = np.unique(number, return_counts=True)
    begin = 0
    for count in counts.tolist():
        for batch in table.slice(begin, count).to_batches():
            writer.write_batch(batch)
        begin += count
    return list(zip(found.tolist(), counts.tolist(), strict=True))
