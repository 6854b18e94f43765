"""Hostile shards with fitting hashes: refused with the column named, before anything follows an address."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.reader import read_shard, read_table
from preprocessing.shards.record_columns import ShardRecords
from preprocessing.shards.writer import write_table
from preprocessing.verify import verify

SHARD = "train/16/part-00000-of-00001.arrow"


def replaced(folder: Path, column: str, values: pa.Array) -> None:
    """The shard with another column, and a manifest that says that this is right."""
    path = folder / SHARD
    table = read_table(path)
    table = table.set_column(table.column_names.index(column), column, values)
    sha256, size = write_table(path, table, {})
    manifest = Manifest.read(folder)
    changes = {"sha256": sha256, "bytes": size}
    shards = [shard.model_copy(update=changes if shard.name == SHARD else {}) for shard in manifest.shards]
    manifest.model_copy(update={"shards": ShardRecords.of(shards)}).write(folder)


def lists(offsets: list[int], values: list[int], kind: pa.DataType) -> pa.ListArray:
    return pa.ListArray.from_buffers(
        pa.list_(kind),
        len(offsets) - 1,
        [None, pa.py_buffer(np.array(offsets, np.int32).tobytes())],
        children=[pa.array(values, kind)],
    )


IDS = [2, 5, 4, 7, 9, 3, 10, 11, 9, 3, 2, 12, 10, 9, 3, 5, 6, 8, 9, 3]
TYPES = {
    "ids of 32 bits beside labels of 16": ("input_ids", lists([0, 10, 20], IDS, pa.uint32()), "masked_labels is list"),
    "ids of 8 bits": ("input_ids", lists([0, 10, 20], IDS, pa.uint8()), "input_ids is list<item: uint8>"),
    "signed ids": ("input_ids", lists([0, 10, 20], IDS, pa.int16()), "input_ids is"),
    "labels of 32 bits": ("masked_labels", lists([0, 1, 3], [6, 13, 6], pa.uint32()), "masked_labels is"),
    "bytes for truth values": ("is_random_next", pa.array([1, 0], pa.uint8()), "is_random_next is uint8"),
    "a null": ("segment_b_start", pa.array([6, None], pa.uint16()), "segment_b_start has nulls"),
    "a null in a list": (
        "input_ids",
        pa.array([IDS[:10], [None, *IDS[11:]]], pa.list_(pa.uint16())),
        "input_ids has nulls",
    ),
}
VALUES = {
    "an id behind the vocabulary": ("input_ids", lists([0, 10, 20], [14, *IDS[1:]], pa.uint16()), "input_ids holds 14"),
    "a label behind it": ("masked_labels", lists([0, 1, 3], [6, 13, 99], pa.uint16()), "masked_labels holds 99"),
    "a negative offset": ("input_ids", lists([0, -4, 20], IDS, pa.uint16()), ""),
    "an offset behind the end": ("input_ids", lists([0, 9999, 20], IDS, pa.uint16()), ""),
    "offsets that go back": ("masked_positions", lists([0, 3, 1], [2, 2, 6], pa.uint16()), ""),
    "labels cut otherwise": (
        "masked_labels",
        lists([0, 2, 3], [6, 13, 6], pa.uint16()),
        "masked_labels has other offsets",
    ),
    "a position behind its row": (
        "masked_positions",
        lists([0, 1, 3], [10, 2, 6], pa.uint16()),
        "masked_positions lies",
    ),
    "positions that do not ascend": ("masked_positions", lists([0, 1, 3], [2, 6, 6], pa.uint16()), "does not ascend"),
    "a segment behind its row": ("segment_b_start", pa.array([11, 5], pa.uint16()), "segment_b_start lies"),
    "a document that is not there": ("document_b", pa.array([1, 2], pa.uint32()), "document_b holds 2"),
    "a row too long": ("input_ids", lists([0, 1, 20], IDS, pa.uint16()), "rows of 1 to 19 tokens"),
}


@pytest.mark.parametrize("name", TYPES)
def test_the_reader_takes_no_other_type(shard_folder: Path, name: str) -> None:
    column, values, message = TYPES[name]
    replaced(shard_folder, column, values)
    with pytest.raises(PreprocessingError, match="is not a shard: its column") as caught:
        read_shard(shard_folder / SHARD)
    assert message in str(caught.value)
    assert [(problem.kind, problem.name) for problem in verify(shard_folder)[1]] == [("corrupt", SHARD)]


@pytest.mark.parametrize("name", VALUES)
def test_verify_reads_every_row(shard_folder: Path, name: str) -> None:
    column, values, message = VALUES[name]
    replaced(shard_folder, column, values)
    (problem,) = verify(shard_folder)[1]
    assert (problem.kind, problem.name) == ("corrupt", SHARD)
    assert message in problem.detail


def test_the_intact_one_is_intact(shard_folder: Path) -> None:
    """The cases above differ from it in what they name alone."""
    replaced(shard_folder, "input_ids", lists([0, 10, 20], IDS, pa.uint16()))
    assert verify(shard_folder)[1] == []
    assert Manifest.read(shard_folder).records("train", 16)[0].rows == 2
