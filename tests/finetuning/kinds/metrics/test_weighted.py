"""Weighted rows score as the same rows written out, by every metric of every kind."""

import random
from typing import Any

import numpy as np
import pytest

from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import kind_of, load_task, parse_task
from finetuning.kinds.metrics import definitions
from finetuning.kinds.metrics.weighted import weighted_best_threshold, weighted_class_metric, weighted_number_metric
from finetuning.kinds.registry import KINDS, kind_named
from finetuning.kinds.rows import SpanRow
from finetuning.tasks.task import Task

CONTEXT = "Ann sat in the red house near Paris"
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
PAIRS = [(kind, metric) for kind in KINDS for metric in kind_named(kind).metrics]


def task_of(kind: str, metric: str) -> Task:
    if kind in ("token", "span"):
        task = load_task({"token": "conll2003", "span": "squad2"}[kind])
        return task.model_copy(update={"metric": metric, "metrics": ()})
    columns = {"text_a": "text", "label": "label"} if kind != "multi_label" else {"text_a": "text", "labels": "labels"}
    if kind == "choice":
        columns = {"text_a": "text", "endings": "endings", "label": "label"}
    content: dict[str, Any] = {"name": "own", "kind": kind, "format": "jsonl", "metric": "accuracy", "columns": columns}
    content |= {"splits": {"dev": "dev.jsonl"}, "choices": 4} if kind == "choice" else {"splits": {"dev": "dev.jsonl"}}
    content |= {"labels": ["a", "b", "c"]} if kind in ("classification", "multi_label") else {}
    return parse_task(content, "own.toml").model_copy(update={"metric": metric, "metrics": (), "positive_label": "b"})


def drawn(kind: str, seed: int, count: int = 30) -> list[Prediction]:
    """Labels and answers that agree about half of the time."""
    draw = random.Random(seed)
    words = CONTEXT.split()
    length = draw.randint(1, 5)
    make = {
        "classification": lambda: draw.choice("aabc"),
        "regression": lambda: float(draw.randint(0, 6)),
        "choice": lambda: draw.randrange(4),
        "token": lambda: draw.choices(TAGS, [3, 1, 1, 1, 1], k=length),
        "span": lambda: " ".join(words[draw.randrange(4) :][: draw.randint(1, 4)]),
        "multi_label": lambda: [label for label in "abc" if draw.random() < 0.4],
    }[kind]
    rows = []
    for place in range(count):
        label = make()
        answer = label if draw.random() < 0.5 else make()
        if kind != "span":
            rows.append(Prediction(str(place), label, answer, None))
            continue
        odds, silent = round(draw.gauss(0, 1), 1), draw.random() < 0.3
        golds = [] if draw.random() < 0.3 else [label, make()]
        rows.append(Prediction(f"q{place}", golds, "" if silent else answer, None, odds, "" if place == 3 else answer))
    return rows


@pytest.mark.parametrize(("kind", "metric"), PAIRS)
def test_weights_are_repetitions(kind: str, metric: str) -> None:
    task, answers = task_of(kind, metric), drawn(kind, seed=len(metric))
    scorer = kind_of(task).weighted_score(task, answers)
    assert scorer is not None
    draw = np.random.default_rng(3)
    weights_bi = draw.multinomial(len(answers), np.full(len(answers), 1 / len(answers)), size=6)
    weights_bi[0] = 1
    weights_bi[1] = np.arange(len(answers)) == 4  # one row, thirty times
    weights_bi[1] *= len(answers)
    expected = [_written_out(task, answers, weights_i) for weights_i in weights_bi]
    assert scorer(weights_bi.astype(float)) == pytest.approx(expected, abs=1e-9)
    assert len({round(score, 6) for score in expected}) > 3


def _written_out(task: Task, answers: list[Prediction], weights_i: np.ndarray) -> float:
    """The metric by its definition, of each row as often as its weight says, each under an id of its own."""
    chosen = [item for item, weight in zip(answers, weights_i, strict=True) for _ in range(weight)]
    items = [
        Prediction(f"{place}", item.label, item.prediction, None, item.null_odds, item.best_span)
        for place, item in enumerate(chosen)
    ]
    golds = [tuple((text, 0) for text in item.label) if task.kind == "span" else () for item in items]
    rows = [SpanRow(item.id, "", "", CONTEXT, gold) for item, gold in zip(items, golds, strict=True)]
    return kind_of(task).score(task, rows, items)[task.metric]


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_a_constant_side_has_no_correlation(metric: str) -> None:
    gold, given = [1.0, 2.0, 3.0], [0.1 + 0.2, 0.3, 0.3]
    scorer = weighted_number_metric(metric, gold, given if metric == "pearson" else [0.3] * 3)
    assert scorer(np.ones((1, 3))).tolist() == [0.0]


def test_classes_need_not_be_texts() -> None:
    scorer = weighted_class_metric("accuracy", [0, 1, 2], [0, 1, 1], None)
    assert scorer(np.array([[1.0, 1.0, 2.0]])) == pytest.approx([definitions.accuracy([0, 1, 2, 2], [0, 1, 1, 1])])


@pytest.mark.parametrize("function", [weighted_class_metric, weighted_number_metric])
def test_an_unknown_metric_is_no_other_one(function: Any) -> None:
    arguments = (["a"], ["a"], "a") if function is weighted_class_metric else ([1.0], [1.0])
    with pytest.raises(ValueError, match="bleu"):
        function("bleu", *arguments)


def test_no_answer_at_all_is_a_threshold_too() -> None:
    scorer = weighted_best_threshold(np.zeros(2), np.zeros(2, bool), ["wrong", "wrong"], [0.1, 0.2])
    assert scorer(np.ones((1, 2))).tolist() == [1.0]
