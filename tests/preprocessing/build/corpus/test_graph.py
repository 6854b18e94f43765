"""The transform of Beam that parses splits."""

import pickle
from pathlib import Path

import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamTestPipeline
from apache_beam.testing.util import assert_that, equal_to

from preprocessing.build.corpus import graph
from preprocessing.build.corpus.folder import ParseJob
from preprocessing.build.corpus.graph import ParseSplits, parse_split
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_documents import read_parsed, sidecar_hash
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.jobs.failures import has_failed, raise_failures
from preprocessing.jobs.splits import write_splits
from preprocessing.jobs.steps import Numbers
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

LINE = "Line {} of the document is a sentence of its own, and long enough.\n"


@pytest.fixture
def splits(tmp_path: Path) -> list[Split]:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join("".join(LINE.format(number) for number in range(30)) for _ in range(6)))
    return plan_splits(InputOptions(sentences=(str(path),)), 3000)


@pytest.fixture
def job(tmp_path: Path, splits: list[Split]) -> ParseJob:
    made = ParseJob(tmp_path / "corpus", DocumentOptions())
    write_splits(made.splits_path, splits)
    return made


def texts(job: ParseJob, split: Split) -> list[tuple[str, ...]]:
    path = job.path(split)
    sidecar = sidecar_hash(path.with_suffix(".json").read_bytes())
    parsed = Split(split.source, str(path), split.file, split.start, split.end, parsed=sidecar)
    return [document.sentences for document in read_parsed(parsed, Tally())]


def test_splits_become_files_of_documents(splits: list[Split], job: ParseJob) -> None:
    assert len(splits) > 2
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        numbers = pipeline | Numbers(len(splits)) | ParseSplits(job)
        assert numbers.element_type is int
        assert_that(numbers, equal_to(range(len(splits))))
    assert [text for split in splits for text in texts(job, split)] == [
        tuple(LINE.format(number).strip() for number in range(30)) for _ in range(6)
    ]
    assert not has_failed(job.intermediate)


def test_the_runner_is_told_what_was_read(splits: list[Split], job: ParseJob) -> None:
    for _ in range(2):  # what was there already counts too
        pipeline = BeamTestPipeline(runner="FnApiRunner")
        _ = pipeline | Numbers(len(splits)) | ParseSplits(job)
        counters = pipeline.run().metrics().query()["counters"]
        found = {counter.key.metric.name: counter.committed for counter in counters}
        assert found["documents_in"] == found["documents_out"] == 6
        assert found["bytes_in"] == sum(split.size for split in splits)


def test_the_transform_and_its_job_travel_to_workers(job: ParseJob) -> None:
    assert pickle.loads(pickle.dumps(job)) == job
    assert graph._Parse.__module__ == "preprocessing.build.corpus.graph"


def test_what_is_done_is_not_done_again(splits: list[Split], job: ParseJob, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parse_split(splits[0], job)
    assert first is not None
    path = job.path(splits[0])
    before = path.read_bytes()
    monkeypatch.setattr(graph, "read_documents", lambda *_: pytest.fail("read again"))
    again = parse_split(splits[0], job)
    assert again is not None
    assert again.to_json() == first.to_json()
    monkeypatch.undo()
    sidecar = path.with_suffix(".json")
    for damage in (lambda: path.write_bytes(b""), path.unlink, sidecar.unlink, lambda: sidecar.write_text("{")):
        damage()
        assert parse_split(splits[0], job) is not None
        assert path.read_bytes() == before


def test_what_cannot_be_read_is_noted_and_nothing_new_is_begun(splits: list[Split], job: ParseJob) -> None:
    path = Path(splits[0].path)
    good = path.read_bytes()
    path.write_bytes(good.replace(b"sentence", b"senten\0e", 1))
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        assert_that(pipeline | Numbers(1) | ParseSplits(job), equal_to([]))
    with pytest.raises(PreprocessingError, match=r"lines\.txt"):
        raise_failures(job.intermediate)
    assert not list((job.folder / "documents").iterdir())
    path.write_bytes(good)
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        assert_that(pipeline | Numbers(len(splits)) | ParseSplits(job), equal_to([]))
    assert not list((job.folder / "documents").iterdir())


def test_all_files_of_a_split_that_cannot_be_read_are_named(tmp_path: Path, job: ParseJob) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_bytes(b"A text.\0\n" if name != "b" else b"A text that is fine.\n")
    (split,) = plan_splits(InputOptions(books=(str(tmp_path / "?.txt"),)))
    assert parse_split(split, job) is None
    with pytest.raises(PreprocessingError) as caught:
        raise_failures(job.intermediate)
    assert "2 faults" in str(caught.value)
    assert "a.txt" in str(caught.value)
    assert "c.txt" in str(caught.value)


def test_what_may_pass_is_raised_for_the_runner(
    splits: list[Split], job: ParseJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise TransientError("the server does not answer")

    monkeypatch.setattr(graph, "write_parsed", fails)
    with pytest.raises(TransientError):
        parse_split(splits[0], job)
    assert not has_failed(job.intermediate)
