from pathlib import Path

import datasets
import numpy as np
import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.examples.arrays import Examples
from preprocessing.examples.statistics import CorpusStatistics
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.reader import ShardSet, read_shard
from preprocessing.shards.record_columns import DocumentTableRecords, InputRecords, ShardRecords
from preprocessing.shards.records import ShardRecord
from preprocessing.shards.writer import shard_path, write_shard


def two_examples() -> Examples:
    return Examples(
        token_offsets=np.array([0, 6, 11], np.int32),
        input_ids=np.array([2, 4, 3, 9, 10, 3, 2, 7, 3, 4, 3], np.uint16),
        segment_b_start=np.array([3, 3], np.uint16),
        mask_offsets=np.array([0, 1, 2], np.int32),
        masked_positions=np.array([1, 3], np.uint16),
        masked_labels=np.array([8, 12], np.uint16),
        is_random_next=np.array([True, False]),
        document_a=np.array([0, 1], np.uint32),
        document_b=np.array([1, 1], np.uint32),
    )


@pytest.fixture
def shard(tmp_path: Path) -> tuple[Path, ShardRecord]:
    path = shard_path(tmp_path, "train", 128, 0, 1)
    return path, write_shard(path, two_examples(), {"format_version": "1"})


def test_a_shard_comes_back_as_it_was_written(shard: tuple[Path, ShardRecord]) -> None:
    path, record = shard
    read = read_shard(path, record)
    for name, expected in vars(two_examples()).items():
        actual = getattr(read, name)
        assert actual.dtype == expected.dtype, name
        assert np.array_equal(actual, expected), name
    assert (record.rows, record.tokens, record.masked_tokens, record.random_pairs) == (2, 11, 2, 1)
    assert record.length_histogram == {5: 1, 6: 1}
    assert record.name == "train/128/part-00000-of-00001.arrow"
    assert read.table.schema.metadata[b"format_version"] == b"1"


def test_the_arrays_are_views_of_the_mapped_file(shard: tuple[Path, ShardRecord]) -> None:
    read = read_shard(*shard)
    assert not read.input_ids.flags.owndata
    assert not read.input_ids.flags.writeable


def test_datasets_reads_a_shard(shard: tuple[Path, ShardRecord]) -> None:
    dataset = datasets.Dataset.from_file(str(shard[0]))
    assert dataset[1]["input_ids"] == [2, 7, 3, 4, 3]
    assert dataset["is_random_next"][:] == [True, False]


def test_the_same_examples_give_the_same_bytes(tmp_path: Path, shard: tuple[Path, ShardRecord]) -> None:
    again = write_shard(shard_path(tmp_path / "again", "train", 128, 0, 1), two_examples(), {"format_version": "1"})
    assert again == shard[1]


def test_no_rows_is_a_shard_too(tmp_path: Path) -> None:
    none = {name: array[:1] if name.endswith("offsets") else array[:0] for name, array in vars(two_examples()).items()}
    path = shard_path(tmp_path, "heldout", 128, 0, 1)
    record = write_shard(path, Examples(**none), {})
    assert record.rows == 0
    assert read_shard(path, record).rows == 0


@pytest.mark.parametrize("keep", [0, 10, 500, 1200])
def test_a_truncated_shard_is_named(shard: tuple[Path, ShardRecord], keep: int) -> None:
    path, record = shard
    content = path.read_bytes()
    assert keep < len(content)
    path.write_bytes(content[:keep])
    with pytest.raises(PreprocessingError, match=r"part-00000-of-00001\.arrow is truncated or corrupt"):
        read_shard(path, record)


def test_a_shard_cut_after_its_rows_is_refused_by_its_record(shard: tuple[Path, ShardRecord]) -> None:
    path, record = shard
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(PreprocessingError, match="the manifest says"):
        read_shard(path, record)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreprocessingError, match="missing"):
        read_shard(tmp_path / "train" / "128" / "x.arrow")


def manifest(record: ShardRecord) -> Manifest:
    return Manifest(
        format_version=1,
        configuration_hash="c",
        configuration={},
        inputs_hash="i",
        inputs=InputRecords.of(()),
        tokenizer_fingerprint="t",
        vocabulary_size=30,
        buckets=1,
        lengths=(128,),
        shards=ShardRecords.of((record,)),
        documents=DocumentTableRecords.of(()),
        tally={"counters": {"documents_in": 2}, "rejections": [], "lost_templates": {}},
        corpus=CorpusStatistics(),
        statistics={},
    )


def test_a_set_of_shards_lists_its_records(tmp_path: Path, shard: tuple[Path, ShardRecord]) -> None:
    manifest(shard[1]).write(tmp_path)
    shards = ShardSet.open(tmp_path)
    assert shards.lengths == (128,)
    assert tuple(shards.records()) == (shard[1],)
    assert tuple(shards.records("heldout", 128)) == ()
    assert shards.read(shard[1]).rows == 2
    with pytest.raises(PreprocessingError, match="length 512"):
        shards.records("train", 512)


def test_the_fingerprint_changes_with_any_shard(shard: tuple[Path, ShardRecord]) -> None:
    other = shard[1].model_copy(update={"sha256": "0" * 64})
    assert manifest(shard[1]).fingerprint != manifest(other).fingerprint
    assert len(manifest(other).fingerprint) == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "not complete"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format_version": 1}', "damaged"),
        ('{"format_version": 7}', "version 7"),
    ],
)
def test_a_bad_manifest_is_refused_in_one_sentence(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(PreprocessingError, match=message):
        ShardSet.open(tmp_path)
