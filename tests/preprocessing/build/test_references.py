import json
from dataclasses import replace
from pathlib import Path

import pytest

from preprocessing.build.configuration import BuildConfiguration, Job
from preprocessing.build.references import keys_of_split, references_of


@pytest.mark.parametrize(("splits", "buckets"), [(1, 1), (1, 7), (7, 1), (3, 10), (10, 3), (5, 5), (1000, 64)])
def test_all_splits_together_name_every_bucket_once(splits: int, buckets: int) -> None:
    """So what travels through the runner grows with the corpus, and not with its square."""
    named = [bucket for number in range(splits) for bucket in keys_of_split(number, splits, buckets)]
    assert sorted(named) == list(range(buckets))


def test_references_come_from_the_sidecars_of_this_build(tmp_path: Path) -> None:
    configuration = BuildConfiguration(tokenizer_fingerprint="t", buckets=3)
    job = Job(tmp_path, configuration, configuration.hash, "inputs")
    job.intermediate.mkdir()
    for letter, batches in (("a", [[0, 5], [2, 1], [0, 2]]), ("b", [[2, 9]])):
        job.split_path(letter * 32, ".json").write_text(json.dumps({"batches": batches}))
    (job.intermediate / f"split-{'c' * 32}-{'0' * 16}.json").write_text(json.dumps({"batches": [[1, 1]]}))
    job.split_path("d" * 32, ".json.tmp-1-2").write_text("half")
    names = [job.split_path(letter * 32, ".arrow").name for letter in "ab"]
    assert references_of(0, job) == [f"{names[0]}:0,2"]
    assert references_of(1, job) == []
    assert references_of(2, job) == [f"{names[0]}:1", f"{names[1]}:0"]
    job.split_path("b" * 32, ".json").unlink()
    assert references_of(2, job) == [f"{names[0]}:1", f"{names[1]}:0"], "read once"
    assert references_of(2, replace(job, inputs_hash="other inputs")) == [f"{names[0]}:1"]
