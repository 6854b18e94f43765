"""The graph and its parts, as a Beam user tests theirs: `TestPipeline` and `assert_that`."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from apache_beam.internal import cloudpickle_pickler
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.test_pipeline import TestPipeline as BeamTestPipeline
from apache_beam.testing.util import assert_that, equal_to

from preprocessing.build import folder as build_folder
from preprocessing.build import partitions
from preprocessing.build.configuration import BuildConfiguration, Job, inputs_hash
from preprocessing.build.graph import ExtractSplits, GatherPartitions, WriteShards, build_steps
from preprocessing.build.metrics import NAMESPACE
from preprocessing.errors import PreprocessingError
from preprocessing.examples.options import ExampleOptions
from preprocessing.jobs.failures import raise_failures
from preprocessing.jobs.splits import read_split
from preprocessing.jobs.steps import Barrier, Numbers, add_steps
from preprocessing.shards.reader import read_table
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, build

WORDS = [f"word{index}" for index in range(40)]
BUCKETS = 5


@pytest.fixture
def splits(tmp_path: Path) -> list[Split]:
    """Of three files with 20 documents each, and a duplicate."""
    rng = np.random.default_rng(5)
    texts = ["\n\n".join("\n".join(" ".join(rng.choice(WORDS, 9)) for _ in range(4)) for _ in range(20)) + "\n"]
    texts += ["\n\n".join("\n".join(" ".join(rng.choice(WORDS, 7)) for _ in range(3)) for _ in range(20)) + "\n"] * 2
    for name, text in zip("abc", texts, strict=True):
        (tmp_path / f"{name}.txt").write_text(text)
    return plan_splits(InputOptions(sentences=(str(tmp_path / "*.txt"),)), 2048)


@pytest.fixture
def job(tmp_path: Path, splits: list[Split]) -> Job:
    tokenizer = build({piece: index for index, piece in enumerate([*SPECIAL_TOKENS, *WORDS])}, lowercase=True)
    configuration = BuildConfiguration(
        examples=ExampleOptions(sequence_lengths=(32,)), tokenizer_fingerprint=tokenizer.fingerprint, buckets=BUCKETS
    )
    job = Job(tmp_path / "shards", configuration, configuration.hash, inputs_hash(splits))
    build_folder.start(job, tokenizer, splits, 2048)
    return job


@pytest.fixture(params=[False, True], ids=["one step", "two steps"])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 2)
        monkeypatch.setattr(partitions, "PARTITIONS", 2)
    return bool(request.param)


def test_the_graph_writes_every_bucket_and_counts(job: Job, splits: list[Split], large: bool) -> None:
    pipeline = BeamTestPipeline(runner="FnApiRunner")
    assert_that(add_steps(pipeline, build_steps(len(splits), job)), equal_to(range(BUCKETS)))
    result = pipeline.run()
    tables = [read_table(path) for path in sorted((job.folder / "documents").iterdir())]
    assert len(tables) == BUCKETS
    assert sum(table.num_rows for table in tables) == 40
    found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    counters = {counter.key.metric.name: counter.committed for counter in found}
    assert (counters["documents_in"], counters["dropped.exact_duplicate"]) == (60, 20)
    assert (counters["documents_out"], counters["documents_written"]) == (60, 40)
    assert counters["bytes_in"] == sum(split.size for split in splits)
    assert counters["examples.train/32"] > 40
    assert counters["bytes_out"] == sum(
        path.stat().st_size
        for place in ("documents", "train", "heldout")
        for path in (job.folder / place).rglob("part-*.arrow")
    )


def test_workers_begin_with_the_largest_splits(job: Job, splits: list[Split]) -> None:
    sizes = [read_split(job.splits_path, number).size for number in range(len(splits))]
    assert sizes == sorted((split.size for split in splits), reverse=True) != [split.size for split in splits]


def test_the_parts_say_what_is_done(job: Job, splits: list[Split], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 2)
    monkeypatch.setattr(partitions, "PARTITIONS", 2)
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        extracted = pipeline | Numbers(len(splits)) | ExtractSplits(job)
        assert_that(extracted, equal_to(range(len(splits))), label="splits")
        gathered = extracted | "1" >> Barrier(len(splits), 2) | GatherPartitions(job)
        assert_that(gathered, equal_to([0, 1]), label="partitions")
        written = gathered | "2" >> Barrier(2, BUCKETS) | WriteShards(job)
        assert_that(written, equal_to(range(BUCKETS)), label="buckets")


def test_the_steps_have_names_that_a_runner_shows(job: Job, large: bool) -> None:
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        add_steps(pipeline, build_steps(0, job))
    names = {label for label in pipeline.applied_labels if "/" not in label}
    gather = {"BeforeGatherPartitions", "GatherPartitions"} if large else set()
    assert names == {"Numbers", "ExtractSplits", "BeforeWriteShards", "WriteShards"} | gather


@pytest.mark.parametrize("pickler", [pickle, cloudpickle_pickler])
def test_the_steps_travel_without_a_main_session(job: Job, pickler: object) -> None:
    for step in (ExtractSplits(job), GatherPartitions(job), WriteShards(job)):
        assert b"__main__" not in pickler.dumps(step)  # type: ignore[attr-defined]


def test_after_a_failure_nothing_is_made_of_what_is_there(job: Job, splits: list[Split], large: bool) -> None:
    Path(splits[-1].pieces()[-1].path).unlink()
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        add_steps(pipeline, build_steps(len(splits), job))
    with pytest.raises(PreprocessingError, match=r"c\.txt"):
        raise_failures(job.intermediate)
    assert not list(job.intermediate.glob("partition-*"))
    assert not (job.folder / "train").exists()
