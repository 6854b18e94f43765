from pathlib import Path

import pyarrow as pa
import pytest

from preprocessing.build import gather, partitions
from preprocessing.build.configuration import BuildConfiguration, Job
from preprocessing.build.extract import write_batches
from preprocessing.build.gather import gather_partition
from preprocessing.build.references import read_batches, read_sidecar, references_of_bucket, write_sidecar
from preprocessing.documents.document import Document
from preprocessing.errors import PreprocessingError
from preprocessing.jobs.splits import write_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, build

BUCKETS = 7


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Seven buckets in two partitions, and three splits of fifty documents each."""
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 2)
    monkeypatch.setattr(partitions, "PARTITIONS", 2)
    tokenizer = build({piece: index for index, piece in enumerate([*SPECIAL_TOKENS, "a", "b"])}, lowercase=True)
    configuration = BuildConfiguration(tokenizer_fingerprint=tokenizer.fingerprint, buckets=BUCKETS)
    job = Job(tmp_path, configuration, configuration.hash, "inputs")
    tokenizer.save(job.tokenizer_path)
    write_splits(job.splits_path, [Split("books", "", f"{split}", 0, 1) for split in range(3)])
    for split in range(3):
        documents = [Document("books", f"{split}", f"{n}", "", ("a " * (n + 1), "b " * split)) for n in range(50)]
        target = job.split_path(f"{split:032x}", ".arrow")
        write_sidecar(target.with_suffix(".json"), write_batches(documents, target, tokenizer, job, Tally()))
    return job


@pytest.mark.parametrize("tokens", [1, 500, 1 << 25])
def test_a_partition_s_file_holds_its_buckets(job: Job, monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    monkeypatch.setattr(gather, "GATHERED_TOKENS", tokens)
    for partition in range(2):
        gather_partition(partition, job)
    seen = []
    for bucket in range(BUCKETS):
        for batch in read_batches(references_of_bucket(bucket, job), job.intermediate):
            assert set(job.partitions.bucket_of(batch).tolist()) == {bucket}
            seen += zip(batch.column("file").to_pylist(), batch.column("locator").to_pylist(), strict=True)
    assert sorted(seen) == sorted((f"{split}", f"{n}") for split in range(3) for n in range(50))
    for partition in range(2):
        sidecar = read_sidecar(job.partition_path(partition, ".json"))
        with pa.ipc.open_file(job.partition_path(partition, ".arrow")) as reader:
            rows = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
        assert rows == sidecar["documents"]
        assert tokens != 1 << 25 or sidecar["numbers"] == list(job.partitions.buckets_of(partition))


def test_a_complete_partition_is_not_gathered_again(job: Job) -> None:
    gather_partition(1, job)
    target = job.partition_path(1, ".arrow")
    before = target.read_bytes(), target.stat().st_mtime_ns
    gather_partition(1, job)
    assert target.stat().st_mtime_ns == before[1]
    target.with_suffix(".json").unlink()  # it comes last: without it the file does not count
    gather_partition(1, job)
    assert target.read_bytes() == before[0]
    assert target.stat().st_mtime_ns != before[1]


def test_a_missing_split_is_named_and_nothing_is_left(job: Job) -> None:
    job.split_path(f"{1:032x}", ".arrow").unlink()
    with pytest.raises(PreprocessingError, match=f"split-{1:032x}.* is missing or damaged"):
        gather_partition(0, job)
    assert not list(job.intermediate.glob("partition-*"))
