"""The graph as runners see it: names, metrics; and that a worker's failure ends all new work."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamTestPipeline
from apache_beam.testing.util import assert_that, equal_to

from preprocessing.build.passes import near_duplicates
from preprocessing.build.passes.near_duplicates import near_duplicate_steps
from preprocessing.documents.near_duplicates.groups import find_groups
from preprocessing.documents.near_duplicates.job import NearDuplicateJob
from preprocessing.documents.near_duplicates.members import Members
from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions
from preprocessing.documents.options import DocumentOptions
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.jobs.failures import raise_failures
from preprocessing.jobs.splits import write_splits
from preprocessing.jobs.steps import add_steps, graphs
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split

pytest.importorskip("rensa")


@pytest.fixture
def splits(tmp_path: Path) -> list[Split]:
    """Twelve documents, every second one a copy of the one before it, in several splits, in the order of keys."""
    draw = random.Random(1)
    texts = [" ".join(draw.choices([f"word{n}" for n in range(500)], k=80)) + "." for _ in range(6)]
    path = tmp_path / "c.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts for _ in range(2)))
    found = plan_splits(InputOptions(jsonlines=(str(path),)), 1500)
    assert len(found) > 3
    return sorted(found, key=lambda split: split.key)


@pytest.fixture
def job(splits: list[Split], tmp_path: Path) -> NearDuplicateJob:
    found = NearDuplicateJob(tmp_path / "work", "0" * 16, len(splits), DocumentOptions(), NearDuplicateOptions())
    write_splits(found.splits_path, splits)
    return found


def test_every_range_is_compared_and_the_metrics_tell_what_was_read(splits: list[Split], job: NearDuplicateJob) -> None:
    pipeline = BeamTestPipeline(runner="FnApiRunner")
    assert_that(add_steps(pipeline, near_duplicate_steps(job)), equal_to(list(range(job.ranges))))
    result = pipeline.run()
    result.wait_until_finish()
    counters = {found.key.metric.name: found.committed for found in result.metrics().query()["counters"]}
    assert counters["documents_in"] == counters["documents_out"] == 12
    assert counters["bytes_in"] == sum(split.size for split in splits)
    assert len(find_groups(job, Members(job)).dropped_keys) == 6


def test_a_runner_shows_the_steps_by_name(job: NearDuplicateJob) -> None:
    pipeline = beam.Pipeline(runner="FnApiRunner")
    add_steps(pipeline, near_duplicate_steps(job))
    names = {transform.unique_name for transform in pipeline.to_runner_api().components.transforms.values()}
    steps = ("SignSplits", "SortBands", "FindCandidates", "CopyMembers", "ComparePairs")
    assert {*steps, "SignSplits/Sign", *(f"{name}/Link" for name in steps[1:])} <= names


def test_steps_may_be_pipelines_of_their_own(job: NearDuplicateJob) -> None:
    for add_graph in graphs(near_duplicate_steps(job), apart=True):
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            add_graph(pipeline)
    assert len(find_groups(job, Members(job)).dropped_keys) == 6


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """What a step of this name raises instead of working."""
    raised: dict[str, Exception] = {}
    for name in ("write_signatures", "sort_bands", "find_candidates", "write_members", "compare_pairs"):
        monkeypatch.setattr(near_duplicates, name, _step(name, getattr(near_duplicates, name), raised))
    return raised


def _step(name: str, real: Callable[..., object], raised: dict[str, Exception]) -> Callable[..., object]:
    def step(*arguments: object) -> object:
        if name in raised:
            raise raised[name]
        return real(*arguments)

    return step


@pytest.mark.parametrize(
    ("step", "absent"),
    [
        ("write_signatures", "bands"),
        ("sort_bands", "candidates"),
        ("find_candidates", "members"),
        ("write_members", "pairs"),
        ("compare_pairs", "pairs"),
    ],
)
def test_after_a_failure_nothing_new_is_begun_and_it_is_said_at_the_end(
    splits: list[Split], job: NearDuplicateJob, broken: dict[str, Exception], step: str, absent: str
) -> None:
    broken[step] = PreprocessingError(f"{step} is broken; mend it.")
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        add_steps(pipeline, near_duplicate_steps(job))
    assert not list(job.folder.glob(f"{absent}-*"))
    with pytest.raises(PreprocessingError, match=f"^{step} is broken; mend it.$"):
        raise_failures(job.folder)


def test_what_may_pass_by_itself_is_raised_for_the_runner(
    splits: list[Split], job: NearDuplicateJob, broken: dict[str, Exception]
) -> None:
    broken["sort_bands"] = TransientError("The file server is away; run again.")
    with pytest.raises(TransientError, match="file server"):
        list(near_duplicates._Link(job, near_duplicates._sort_bands).process(0))
    assert not (job.folder / "failures").exists()
