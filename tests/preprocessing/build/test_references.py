import errno
from dataclasses import replace
from pathlib import Path

import pytest

from preprocessing.build import partitions, references
from preprocessing.build.configuration import BuildConfiguration, Job
from preprocessing.build.references import (
    BatchReference,
    documents_by_number,
    read_batches,
    read_sidecar,
    references_of_bucket,
    references_of_partition,
    write_sidecar,
)
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.jobs.splits import write_splits
from preprocessing.sources.split import Split


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Of three buckets, with the sidecars of two splits and some that are not this build's."""
    configuration = BuildConfiguration(tokenizer_fingerprint="t", buckets=3)
    job = Job(tmp_path, configuration, configuration.hash, "inputs")
    write_sidecar(job.split_path("a" * 32, ".json"), [(0, 5), (2, 1), (0, 2)])
    write_sidecar(job.split_path("b" * 32, ".json"), [(2, 9)])
    write_splits(job.splits_path, [Split("books", "", name, 0, 1) for name in "ab"])
    write_sidecar(job.intermediate / f"split-{'c' * 32}-{'0' * 16}.json", [(1, 1)])
    job.split_path("d" * 32, ".json.tmp-1-2").write_text("half")
    return job


def name_of(job: Job, letter: str) -> str:
    return job.split_path(letter * 32, ".arrow").name


def test_references_come_from_the_sidecars_of_this_build(job: Job) -> None:
    a, b = name_of(job, "a"), name_of(job, "b")
    assert references_of_partition(0, job) == [BatchReference(a, (0, 2))]
    assert references_of_partition(1, job) == []
    assert references_of_partition(2, job) == [BatchReference(a, (1,)), BatchReference(b, (0,))]
    assert references_of_bucket(2, job) == references_of_partition(2, job)
    job.split_path("b" * 32, ".json").unlink()
    write_splits(job.splits_path, [Split("books", "", "a", 0, 1)])
    assert references_of_partition(2, job) == [BatchReference(a, (1,)), BatchReference(b, (0,))], "read once"
    assert references_of_partition(2, replace(job, inputs_hash="other inputs")) == [BatchReference(a, (1,))]


def test_a_bucket_of_a_large_build_lies_in_its_partition_s_file(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 2)
    monkeypatch.setattr(partitions, "PARTITIONS", 2)
    for partition in (0, 1):
        dealt = [(bucket, 7) for bucket in job.partitions.buckets_of(partition) if bucket != 1]
        write_sidecar(job.partition_path(partition, ".json"), [*dealt, *dealt])
    assert references_of_bucket(0, job) == [BatchReference(job.partition_path(0, ".arrow").name, (0, 1))]
    assert references_of_bucket(1, job) == []
    assert references_of_bucket(2, job) == [BatchReference(job.partition_path(1, ".arrow").name, (0, 1))]
    write_sidecar(job.partition_path(1, ".json"), [(2, 7)])
    assert references_of_bucket(2, job)[0].batches == (0, 1), "read once"
    assert references_of_bucket(2, replace(job, inputs_hash="other inputs"))[0].batches == (0,)


def test_a_folder_that_shows_too_few_splits_is_looked_at_again(job: Job) -> None:
    """As a file server may, for a while after the last split was written on another machine."""
    late = job.split_path("b" * 32, ".json")
    hidden = late.rename(late.with_suffix(".hidden"))
    for _ in range(2):
        with pytest.raises(TransientError, match="shows 1 of 2 finished splits"):
            references_of_partition(0, job)
    hidden.rename(late)
    assert len(references_of_partition(2, job)) == 2


@pytest.mark.parametrize("content", ["", "{", '{"numbers": []}'])
def test_a_damaged_sidecar_counts_for_nothing(job: Job, content: str) -> None:
    path = job.split_path("a" * 32, ".json")
    path.write_text(content)
    assert read_sidecar(path) is None
    assert read_sidecar(path.with_suffix(".other")) is None
    with pytest.raises(PreprocessingError, match="is missing or damaged; remove it"):
        references_of_partition(0, job)


def test_trouble_that_may_pass_is_not_taken_for_damage(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: object) -> None:
        raise OSError(errno.ESTALE, "stale")

    monkeypatch.setattr(references, "arrow_source", fail)
    with pytest.raises(TransientError):
        list(read_batches([BatchReference("x.arrow", (0,))], job.intermediate))


def test_a_sidecar_counts_documents(job: Job) -> None:
    content = read_sidecar(job.split_path("a" * 32, ".json"))
    assert content is not None
    assert documents_by_number(content, 4).tolist() == [7, 0, 1, 0]


def test_a_missing_or_damaged_file_is_named(job: Job) -> None:
    with pytest.raises(PreprocessingError, match=r"intermediate file .*nowhere\.arrow is missing or damaged"):
        list(read_batches([BatchReference("nowhere.arrow", (0,))], job.intermediate))
    (job.intermediate / "half.arrow").write_bytes(b"ARROW1")
    with pytest.raises(PreprocessingError, match=r"half\.arrow is missing or damaged"):
        list(read_batches([BatchReference("half.arrow", (0,))], job.intermediate))
