"""Numbers of texts: what is one, and losses, answers and scores against numpy and scipy."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import parse_task
from finetuning.kinds.regression import KIND
from finetuning.kinds.rows import TextRow
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task

COLUMNS = {"text_a": "text", "label": "score"}


def own(**keys: Any) -> Task:
    table = {"name": "own", "kind": "regression", "format": "jsonl", "metric": "pearson", "columns": COLUMNS}
    return parse_task(table | {"splits": {"dev": "d.jsonl"}} | keys, "own.toml")


def row_of(label: Any, task: Task, labelled: bool = True, **more: Any) -> TextRow:
    columns = COLUMNS | {name: name for name in more}
    return KIND.row(task, Record("f, line 3", {"text": "t", "score": label, **more}, columns, 7), labelled)


def rows_of(*labels: float | None) -> list[TextRow]:
    return [TextRow(str(n), "", "t", None, label) for n, label in enumerate(labels)]


def answers_of(gold: list[float], given: list[float]) -> list[Prediction]:
    return [Prediction(str(n), a, b, [b]) for n, (a, b) in enumerate(zip(gold, given, strict=True))]


def test_what_it_is_to_files_and_to_transformers() -> None:
    assert (KIND.name, KIND.class_role, KIND.architecture) == ("regression", None, "BertForSequenceClassification")
    assert KIND.metrics == ("pearson", "spearman", "mean_squared_error")
    assert KIND.huggingface_settings(()) == {
        "id2label": {"0": "score"},
        "label2id": {"score": 0},
        "problem_type": "regression",
    }
    assert KIND.outputs(5) == 1


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, 2.0),
        ("2.5", 2.5),
        (3.4028234663852886e38, 3.4028234663852886e38),
        (" 1e2 ", 100.0),
        (-3.4e38, -3.4e38),
        (0, 0.0),
        ("-0.5", -0.5),
    ],
)
def test_a_number_is_one_in_text_too(value: Any, number: float) -> None:
    assert row_of(value, own()) == TextRow("7", "f, line 3", "t", None, number)
    assert row_of(value, own(), labelled=False).label is None
    assert row_of(value, own(), text_b="u").text_b == "u"


@pytest.mark.parametrize("value", [None, "", "high", "1_5", True, False, "nan", "inf", -math.inf, 3.5e38, 10**400, [1]])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(FinetuningError, match=r"^f, line 3: label .* is not a finite number, as regression needs$"):
        row_of(value, own())


def test_numbers_lie_in_the_task_s_range() -> None:
    task = own(score_range=[0, 5])
    assert [row_of(value, task).label for value in (0, 5, 2.5)] == [0.0, 5.0, 2.5]
    for value, shown in ((-0.5, "-0.5"), (5.25, "5.25")):
        with pytest.raises(FinetuningError) as raised:
            row_of(value, task)
        expected = f"f, line 3: label {shown} is outside 0 to 5, the task's score_range; correct either"
        assert str(raised.value) == expected


def test_targets_are_numbers_or_nothing() -> None:
    targets = KIND.targets(rows_of(1.5, None), ())
    assert targets.dtype == np.float32
    assert targets[0] == 1.5
    assert np.isnan(targets[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_is_the_sum_of_squares(dtype: torch.dtype) -> None:
    logits, labels = torch.tensor([1.0, 2.5, -1.0]).to(dtype), torch.tensor([0.0, 2.0, 2.0])
    loss = KIND.loss_sum(logits, SimpleNamespace(labels=labels))
    assert (loss.item(), loss.dtype) == (1.0 + 0.25 + 9.0, torch.float32)


def test_answers_are_the_logits() -> None:
    rows = rows_of(1.0, 2.0)
    found = KIND.decode(own(), (), rows, None, np.array([0.5, -1.25], np.float32))  # type: ignore[arg-type]
    assert found == answers_of([1.0, 2.0], [0.5, -1.25])
    assert all(type(answer.prediction) is float for answer in found)


def test_scores_are_scipy_s() -> None:
    gold, given = [1.0, 2.0, 4.0, 3.0], [1.5, 1.0, 3.0, 3.5]
    task, answers = (
        own(metric="spearman", metrics=["mean_squared_error", "spearman", "pearson"]),
        answers_of(gold, given),
    )
    scores = KIND.score(task, rows_of(*gold), answers)
    assert list(scores) == ["spearman", "mean_squared_error", "pearson"]
    expected = [
        stats.spearmanr(gold, given).statistic,
        (0.25 + 1 + 1 + 0.25) / 4,
        stats.pearsonr(gold, given).statistic,
    ]
    assert list(scores.values()) == pytest.approx(expected)
    for metric in ("spearman", "pearson"):
        weighted = KIND.weighted_score(task.model_copy(update={"metric": metric}), answers)
        assert weighted(np.ones((1, 4)))[0] == pytest.approx(scores[metric])


def test_the_constant_answer_is_the_mean() -> None:
    train, dev = rows_of(1.0, None, 2.0), rows_of(4.0, 5.0)
    found = KIND.constant(own(), train, dev)
    assert [(p.id, p.label, p.prediction, p.scores) for p in found] == [("0", 4.0, 1.5, None), ("1", 5.0, 1.5, None)]
    (best,) = KIND.constants(own(), dev)
    assert [(p.id, p.label, p.prediction) for p in best] == [("0", 4.0, 4.5), ("1", 5.0, 4.5)]


@pytest.mark.parametrize(("spread", "expected"), [(0.0, True), (0.0078125, True), (0.008, False), (1.0, False)])
def test_answers_within_a_thousandth_of_the_range_are_one(spread: float, expected: bool) -> None:
    """Of labels from -3.8125 to 4, the range 7.8125."""
    gold = [4.0, -3.8125, 0.0]
    answers = answers_of(gold, [0.0, spread, spread / 2])
    assert KIND.is_constant(own(), rows_of(*gold), answers) == expected


def test_a_submission_is_clipped_to_the_range() -> None:
    task = own(score_range=[0, 5])
    assert [KIND.cell(task, value) for value in (-0.25, 2.34567, 7.0)] == ["0.000", "2.346", "5.000"]
    assert KIND.cell(own(), 1234.5) == "1234.500"
    cells = ("0", "5.0", "2.5", "-0.1", "5.1", "nan", "high", "")
    assert [KIND.is_answer(task, cell) for cell in cells] == [True] * 3 + [False] * 5
    assert KIND.allowed(task) == "a number from 0 to 5"
    assert KIND.allowed(own(score_range=[-0.5, 1e6])) == "a number from -0.5 to 1e+06"
    assert KIND.is_answer(own(), "-1e30")


@pytest.mark.parametrize(
    ("label", "given", "error"),
    [
        (4.0, 1.5, (2.5, "4.00", "1.50")),
        (1, 2.25, (1.25, "1.00", "2.25")),
        (1.0, 1.004, None),
        (1.0, 1.006, (pytest.approx(0.006), "1.00", "1.01")),
    ],
)
def test_errors_are_distances(label: float, given: float, error: tuple[float, str, str] | None) -> None:
    assert KIND.error({"label": label, "prediction": given}) == error
    assert list(KIND.confusions({"label": label, "prediction": given})) == []


@pytest.mark.parametrize("items", [1, 2])
def test_an_output_of_each_sequence_is_its_number(items: int) -> None:
    pooled, packed = (
        torch.arange(4.0).view(2, 2)[:items],
        SimpleNamespace(cu_seqlens=torch.tensor([0, 3, 5])[: items + 1]),
    )
    dropped = lambda rows_nh, token_n: rows_nh + token_n[:, None]  # noqa: E731
    found = KIND.logits(
        lambda given: (None, pooled) if given is packed else None,  # type: ignore[arg-type, return-value]
        *(dropped, lambda rows_nh: rows_nh.sum(1, keepdim=True), SimpleNamespace(packed=packed)),  # type: ignore[arg-type]
    )
    # Sums of (0, 1) and of (2, 3) + 3, as the second sequence begins at piece 3.
    assert found.tolist() == [1.0, 11.0][:items]
