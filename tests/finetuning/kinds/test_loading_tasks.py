"""Task files: what is shipped loads, and what is wrong is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task
from finetuning.kinds.scoring import check_metrics
from finetuning.tasks.task import task_names

GLUE = {"cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli", "ax"}
OWN = """
name = "mine"
kind = "classification"
format = "jsonl"
labels = ["no", "yes"]
metric = "accuracy"
columns = { text_a = "first", text_b = "second", label = "answer" }
splits = { train = "train.jsonl", dev = "dev.jsonl" }
"""


def test_every_benchmark_is_there() -> None:
    assert set(task_names()) >= GLUE | {"squad1", "squad2", "swag", "conll2003"}


@pytest.mark.parametrize("name", task_names())
def test_shipped_tasks_are_consistent(name: str) -> None:
    task = load_task(name)
    check_metrics(task)
    assert task.name == name
    assert task.title
    if task.hub is not None and task.hub.labels:
        assert set(task.hub.labels) == set(task.labels)
    for split in (*task.test, *task.dev):
        assert split in task.splits
    if name in GLUE - {"ax"}:
        submissions = [task.splits[split].submission for split in task.test]
        assert all(submission and submission.endswith(".tsv") for submission in submissions)


def test_own_task(write_lines: Callable[..., Path]) -> None:
    path = write_lines("mine.toml", OWN)
    task = load_task(path)
    assert task.home == path.parent
    assert task.is_pair
    assert task.splits["train"].file == "train.jsonl"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metric =", "metrik =", "metrik: unknown key; did you mean 'metric'"),
        ('label = "answer"', 'lable = "answer"', "label missing for a classification task"),
        ('["no", "yes"]', '["no", "no"]', "stands there twice"),
        ('["no", "yes"]', '["no"]', "names at least two"),
        ('"jsonl"', '"xml"', "format"),
        ('dev = "dev.jsonl"', 'development = "dev.jsonl"', "dev named in dev or test, but not defined"),
        ('name = "mine"', 'name = "../mine"', "use letters"),
        ('name = "mine"', "name = mine", "not a TOML file"),
        (
            'name = "mine"',
            'name = "mine"\ndocument_stride = 0',
            "document_stride: Input should be greater than or equal",
        ),
        ('name = "mine"', 'name = "mine"\nn_best = 0', "n_best: Input should be greater than or equal"),
        ('name = "mine"', 'name = "mine"\nmax_answer_length = -1', "max_answer_length: Input should be greater"),
        (
            'name = "mine"',
            'name = "mine"\nsequence_length = 0',
            "sequence_length: Input should be greater than or equal",
        ),
        ('name = "mine"', 'name = "mine"\nmax_query_length = 0', "max_query_length: Input should be greater"),
        ('dev = "dev.jsonl"', 'dev = { fil = "dev.jsonl" }', "did you mean 'file'"),
    ],
)
def test_wrong_task_files(write_lines: Callable[..., Path], old: str, new: str, message: str) -> None:
    assert old in OWN
    path = write_lines("mine.toml", OWN.replace(old, new))
    with pytest.raises(FinetuningError) as caught:
        load_task(path)
    assert message in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(FinetuningError, match="did you mean cola"):
        load_task("CoLA")
    with pytest.raises(FinetuningError, match="no such task file"):
        load_task("absent.toml")


@pytest.mark.parametrize("metric", ["spearman", "mean_squared_error"])
def test_metric_of_another_kind(write_lines: Callable[..., Path], metric: str) -> None:
    task = load_task(write_lines("mine.toml", OWN.replace('"accuracy"', f'"{metric}"')))
    with pytest.raises(FinetuningError, match=f"{metric}.*accuracy"):
        check_metrics(task)
