"""The splits that a run reads, and those without which it does not begin."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.run.specification import RunSpec
from finetuning.run.splits import read_splits, task_of

TASK = """
kind = "token"
metric = "accuracy"
columns = { words = "w", tags = "t", document = "d" }
dev = ["dev", "more"]
test = ["test", "gone"]
[splits]
train = "train.jsonl"
dev = "dev.jsonl"
more = { file = "more.jsonl", optional = true }
test = { file = "test.jsonl", labelled = false }
gone = { file = "gone.jsonl", optional = true }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., RunSpec]:
    """spec(text of the task, **options) → a run of a task of words, four rows a split."""

    def make(text: str = TASK, **options: Any) -> RunSpec:
        (tmp_path / "own.toml").write_text(text)
        for name in ("train", "dev", "more", "test"):
            row = json.dumps({"w": [name], "t": ["O"], "d": None if name == "test" else "d"})
            (tmp_path / f"{name}.jsonl").write_text(f"{row}\n" * 4)
        return RunSpec(task=str(tmp_path / "own.toml"), model="m", output=tmp_path, **options)

    return make


def sizes(spec: RunSpec) -> dict[str, int]:
    return {name: len(split.rows) for name, split in read_splits(task_of(spec), spec).items()}


def test_all_that_is_there_is_read(spec: Callable[..., RunSpec]) -> None:
    assert list(sizes(spec()).items()) == [("train", 4), ("dev", 4), ("more", 4), ("test", 4)]
    assert sizes(spec(predict_test=False)) == {"train": 4, "dev": 4, "more": 4}
    assert sizes(spec(limit_train=1, limit_dev=2)) == {"train": 1, "dev": 2, "more": 2, "test": 2}
    splits = read_splits(task_of(spec()), spec())
    assert {name: split.rows[0].words for name, split in splits.items()} == {name: (name,) for name in splits}


def test_the_data_may_lie_elsewhere(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    asked = spec(data=tmp_path / "data", predict_test=False)
    (tmp_path / "data").mkdir()
    for name in ("train", "dev", "more"):
        (tmp_path / f"{name}.jsonl").rename(tmp_path / "data" / f"{name}.jsonl")
    assert sizes(asked) == {"train": 4, "dev": 4, "more": 4}


def test_what_is_trained_on_or_scored_must_be_there(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    asked = spec()
    (tmp_path / "more.jsonl").unlink()
    with pytest.raises(FinetuningError, match=r"^own: its more split is not there; training and scoring need it$"):
        sizes(asked)
    optional = TASK.replace('train = "train.jsonl"', 'train = { file = "none.jsonl", optional = true }')
    with pytest.raises(FinetuningError, match=r"^own: its train split is not there; training and scoring need it$"):
        sizes(spec(optional))
    with pytest.raises(FinetuningError, match=r"^own defines no train split; add it to \[splits\] of .*own\.toml$"):
        sizes(spec(TASK.replace('train = "train.jsonl"\n', "")))


def test_the_kind_looks_at_what_is_learnt_or_scored_alone(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """Rows of the test split have no document, which only its own answers need."""
    asked = spec(context="document")
    assert len(sizes(asked)) == 4
    for name in ("train", "more"):
        whole = (tmp_path / f"{name}.jsonl").read_text()
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"w": ["x"], "t": ["O"], "d": None}) + "\n")
        with pytest.raises(FinetuningError, match="where documents begin is not marked"):
            sizes(asked)
        (tmp_path / f"{name}.jsonl").write_text(whole)


def test_options_of_a_run_change_the_task(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    plain = task_of(spec())
    assert (plain.malformed, plain.context) == ("refuse", "sentence")
    changed = task_of(spec(skip_malformed=True, context="document"))
    assert (changed.malformed, changed.context) == ("skip", "document")
    assert changed == plain.model_copy(update={"malformed": "skip", "context": "document"})
    with pytest.raises(FinetuningError, match=r"^--context sentence: cola is a classification task; only token tasks"):
        task_of(RunSpec(task="cola", model="m", output=tmp_path, context="sentence"))
