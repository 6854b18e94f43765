import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.build.partitions import DIRECT_BUCKETS, PARTITIONS, Partitions, deal, held


def batch_of(keys: list[int], tokens_each: int = 3) -> pa.RecordBatch:
    tokens = [[index % 7] * tokens_each for index in range(len(keys))]
    return pa.record_batch({"key_high": pa.array(keys, pa.uint64()), "tokens": pa.array(tokens, pa.list_(pa.uint16()))})


@given(st.integers(1, 200_000), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_partitions_tile_the_buckets_and_hold_their_documents(buckets: int, keys: list[int]) -> None:
    partitions = Partitions(buckets)
    batch = batch_of(keys)
    for key, bucket, partition in zip(
        keys, partitions.bucket_of(batch).tolist(), partitions.partition_of(batch).tolist(), strict=True
    ):
        assert bucket == key % buckets
        assert bucket in partitions.buckets_of(partition)
    ranges = [partitions.buckets_of(partition) for partition in range(partitions.count)]
    assert [bucket for found in ranges for bucket in found] == list(range(buckets))
    sizes = {len(found) for found in ranges}
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("buckets", "count", "direct"),
    [(1, 1, True), (DIRECT_BUCKETS, DIRECT_BUCKETS, True), (DIRECT_BUCKETS + 1, PARTITIONS, False)],
)
def test_few_buckets_are_their_own_partitions(buckets: int, count: int, direct: bool) -> None:
    partitions = Partitions(buckets)
    assert (partitions.count, partitions.direct) == (count, direct)
    assert not direct or [list(partitions.buckets_of(number)) for number in range(count)] == [[n] for n in range(count)]


def test_batches_are_held_up_to_a_number_of_tokens() -> None:
    batches = [batch_of([number, number]) for number in range(5)]  # of six tokens each
    tables = list(held(iter(batches), 12))
    assert [table.num_rows for table in tables] == [4, 4, 2]
    assert pa.concat_tables(tables).column("key_high").to_pylist() == [n for n in range(5) for _ in range(2)]
    assert list(held(iter(()), 12)) == []


def test_a_table_is_dealt_into_one_batch_a_number_in_order() -> None:
    table = pa.Table.from_batches([batch_of([5, 1, 5]), batch_of([2, 1])])
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        dealt = deal(table, np.array([5, 1, 5, 2, 1], np.uint64), writer)
    assert dealt == [(1, 2), (2, 1), (5, 2)]
    with pa.ipc.open_file(sink.getvalue()) as reader:
        batches = [reader.get_batch(number).to_pydict() for number in range(reader.num_record_batches)]
    assert [batch["key_high"] for batch in batches] == [[1, 1], [2], [5, 5]]
    # Of equals the order stays.
    assert [[tokens[0] for tokens in batch["tokens"]] for batch in batches] == [[1, 1], [0], [0, 2]]
