"""The contamination report's graph: a number a split, metrics, and failures that are noted."""

import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamTestPipeline
from apache_beam.testing.util import assert_that, equal_to

from preprocessing.build.passes.contamination import contamination_steps
from preprocessing.documents.contamination import ContaminationJob
from preprocessing.documents.options import DecontaminationOptions, DocumentOptions
from preprocessing.errors import PreprocessingError
from preprocessing.jobs.failures import raise_failures
from preprocessing.jobs.splits import write_splits
from preprocessing.jobs.steps import add_steps
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split

LEAK = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


@pytest.fixture
def job(splits: list[Split], tmp_path: Path) -> ContaminationJob:
    (tmp_path / "dev.txt").write_text(LEAK)
    files = DecontaminationOptions(files=(str(tmp_path / "dev.txt"),))
    found = ContaminationJob(tmp_path / "work", len(splits), DocumentOptions(decontamination=files))
    write_splits(found.splits_path, splits)
    return found


@pytest.fixture
def splits(tmp_path: Path) -> list[Split]:
    path = tmp_path / "c.jsonl"
    texts = [f"Number {n} is said here, and then it goes on. {LEAK if n % 3 == 0 else 'Nothing.'}" for n in range(30)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return plan_splits(InputOptions(jsonlines=(str(path),)), 1024)


def counters_of(splits: list[Split], job: ContaminationJob) -> dict[str, int]:
    pipeline = BeamTestPipeline(runner="FnApiRunner")
    found = add_steps(pipeline, contamination_steps(job))
    assert_that(found, equal_to(list(range(len(splits)))))
    result = pipeline.run()
    result.wait_until_finish()
    return {found.key.metric.name: found.committed for found in result.metrics().query()["counters"]}


def test_metrics_are_those_of_the_whole_also_when_it_was_done_before(
    splits: list[Split], job: ContaminationJob
) -> None:
    assert len(splits) > 2
    counters = counters_of(splits, job)
    assert counters["documents_in"] == 30
    assert counters["contaminated.documents"] == counters["contaminated.by.dev.txt"] == 10
    assert counters["bytes_in"] == sum(split.size for split in splits)
    before = {path: path.stat().st_mtime_ns for path in job.folder.iterdir()}
    assert counters_of(splits, job) == counters
    assert {path: path.stat().st_mtime_ns for path in job.folder.iterdir()} == before


def test_a_failure_is_noted_and_nothing_new_is_begun(
    splits: list[Split], job: ContaminationJob, tmp_path: Path
) -> None:
    (tmp_path / "c.jsonl").unlink()
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        add_steps(pipeline, contamination_steps(job))
    assert sorted(path.name for path in job.folder.iterdir()) == ["failures", "splits.arrow"]
    with pytest.raises(PreprocessingError, match=r"c\.jsonl"):
        raise_failures(job.folder)
