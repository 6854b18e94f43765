"""Columns say what records say, whatever is chosen of them."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.shards.record_columns import DocumentTableRecords, InputRecords, ShardRecords
from preprocessing.shards.record_packing import HISTOGRAM_SCHEMA, ascend
from preprocessing.shards.records import DocumentTableRecord, FileRecord, InputRecord, ShardRecord


def shard(split: str, length: int, bucket: int, histogram: dict[int, int]) -> ShardRecord:
    rows = sum(histogram.values())
    return ShardRecord(
        name=f"{split}/{length}/part-{bucket:05d}-of-00009.arrow",
        split=split,
        length=length,
        rows=rows,
        tokens=sum(tokens * count for tokens, count in histogram.items()),
        masked_tokens=7 * bucket,
        random_pairs=rows // 2,
        sha256=f"{bucket:02x}" * 31 + f"{length % 256:02x}",
        bytes=2**40 + bucket,
        length_histogram=histogram,
    )


def shards() -> list[ShardRecord]:
    return [
        shard(split, length, bucket, {length - step: 10 * bucket + step + 1 for step in range(bucket % 4)})
        for bucket in range(5)
        for split in ("train", "heldout")
        for length in (128, 512)
    ]


def test_records_come_back_by_name_whatever_their_order() -> None:
    records = shards()
    random.Random(1).shuffle(records)
    found = ShardRecords.of(iter(records))
    expected = sorted(records, key=lambda record: record.name)
    assert list(found) == expected
    assert [found[place] for place in range(len(found))] == expected
    assert found[-1] == expected[-1]
    assert list(found[3:12:4]) == expected[3:12:4]
    assert list(found[::-1]) == expected[::-1]
    with pytest.raises(IndexError):
        found[len(expected)]
    assert found.rows.tolist() == [record.rows for record in expected]
    assert found.bytes.tolist() == [record.bytes for record in expected]
    assert [digest.tobytes().hex() for digest in found.sha256] == [record.sha256 for record in expected]


@pytest.mark.parametrize("split", ["train", "heldout"])
@pytest.mark.parametrize("length", [128, 512])
def test_one_split_and_length_is_a_view_of_the_columns(split: str, length: int) -> None:
    found = ShardRecords.of(shards())
    mine = found.of_split(split, length)
    expected = [record for record in shards() if (record.split, record.length) == (split, length)]
    assert list(mine) == expected
    assert np.shares_memory(mine.rows, found.rows)
    assert list(mine.files()) == [FileRecord(r.name, r.rows, r.sha256, r.bytes) for r in expected]
    assert mine.file(2) == FileRecord(expected[2].name, expected[2].rows, expected[2].sha256, expected[2].bytes)
    assert [digest.tobytes().hex() for digest in mine.sha256] == [record.sha256 for record in expected]
    assert list(mine.with_rows()) == [record for record in expected if record.rows]
    assert mine.find(expected[3].name) == 3
    assert mine.find("train/7/part-00000-of-00009.arrow") is None


def test_other_lengths_have_no_shards() -> None:
    none = ShardRecords.of(shards()).of_split("train", 64)
    assert (len(none), list(none), list(none.files()), none.length_histogram()) == (0, [], [], {})
    assert none.rows.sum() == 0
    assert none.sha256.shape == (0, 32)


@given(st.lists(st.dictionaries(st.integers(1, 65_535), st.integers(1, 2**32 - 1), max_size=6), min_size=1, max_size=9))
def test_histograms_add_up(histograms: list[dict[int, int]]) -> None:
    found = ShardRecords.of(shard("train", 128, bucket, one) for bucket, one in enumerate(histograms))
    expected: dict[int, int] = {}
    for one in histograms:
        for tokens, rows in one.items():
            expected[tokens] = expected.get(tokens, 0) + rows
    assert list(found.length_histogram().items()) == sorted(expected.items())
    assert [record.length_histogram for record in found] == [dict(sorted(one.items())) for one in histograms]


def test_the_histograms_are_not_read_for_columns_and_files() -> None:
    known = ShardRecords.of(shards())

    def refuse() -> pa.Table:
        raise AssertionError("the histograms were read")

    found = ShardRecords(lambda: known.table, refuse)
    mine = found.of_split("train", 128).with_rows()
    assert int(mine.rows.sum()) > 0
    assert list(mine.files())
    assert found.find(shards()[0].name) is not None
    with pytest.raises(AssertionError, match="were read"):
        mine.length_histogram()


def test_pieces_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """More records than are made at a time."""
    expected = list(ShardRecords.of(shards()))
    monkeypatch.setattr("preprocessing.shards.record_columns._AT_A_TIME", 3)
    found = ShardRecords.of(shards())
    assert list(found) == expected
    assert [file.name for file in found.files()] == [record.name for record in expected]
    assert sum(found.length_histogram().values()) == sum(record.rows for record in expected)


def test_documents_and_inputs() -> None:
    documents = [
        DocumentTableRecord(name=f"documents/{name}.arrow", rows=rows, sha256=f"{rows:064x}", bytes=9)
        for name, rows in (("b", 1), ("a", 2), ("ä", 3))
    ]
    assert [record.rows for record in DocumentTableRecords.of(documents)] == [2, 1, 3]
    inputs = [InputRecord(source="books", file=name, bytes=1, splits=1) for name in ("z.txt", "a.txt", "a.txt")]
    assert list(InputRecords.of(inputs)) == inputs  # in the order in which they were read
    assert list(InputRecords.of(())) == []


def test_ascending_means_no_name_twice() -> None:
    for names in (["a", "b"], ["a"], []):
        assert ascend(pa.array(names, pa.string()))
    assert not ascend(pa.array(["a", "a"]))
    assert not ascend(pa.array(["b", "a"]))
    assert HISTOGRAM_SCHEMA.names == ["tokens", "rows"]
