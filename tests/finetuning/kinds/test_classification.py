"""Classes of texts: what rows may say, and losses, answers and scores against numpy and scikit-learn."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.classification import KIND
from finetuning.kinds.loading import parse_task
from finetuning.kinds.rows import TextRow
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task

COLUMNS = {"text_a": "text", "label": "class"}
GOLD, GIVEN = "aabbbc", "abbbac"
ANSWERS = [Prediction(str(n), gold, given, None) for n, (gold, given) in enumerate(zip(GOLD, GIVEN, strict=True))]


def own(**keys: Any) -> Task:
    table = {"name": "own", "kind": "classification", "format": "jsonl", "labels": ["a", "b", "c"]}
    table |= {"metric": "accuracy", "columns": COLUMNS, "splits": {"dev": "d.jsonl"}}
    return parse_task(table | keys, "own.toml")


def row_of(label: Any, labelled: bool = True, task: Task | None = None, **more: Any) -> TextRow:
    columns = COLUMNS | {name: name for name in more}
    return KIND.row(task or own(), Record("f, line 3", {"text": "t", "class": label, **more}, columns, 7), labelled)


def rows_of(labels: str) -> list[TextRow]:
    return [TextRow(str(n), "", "t", None, None if label == "-" else label) for n, label in enumerate(labels)]


def test_what_it_is_to_files_and_to_transformers() -> None:
    assert (KIND.name, KIND.class_role, KIND.architecture) == (
        "classification", "label", "BertForSequenceClassification"
    )  # fmt: skip
    assert KIND.metrics == ("accuracy", "f1", "macro_f1", "matthews_correlation")
    assert KIND.formats == ("tsv", "csv", "jsonl", "parquet")
    assert (KIND.required, KIND.optional) == ({"text_a", "label"}, {"text_b", "id"})
    assert (KIND.new_roles, KIND.further_roles) == (("text_a",), ("text_b", "id"))
    assert KIND.line_roles(own()) == ("text_a",)
    assert KIND.line_roles(own(columns=COLUMNS | {"text_b": "x"})) == ("text_a", "text_b")
    assert KIND.huggingface_settings(("no", "yes")) == {
        "id2label": {"0": "no", "1": "yes"},
        "label2id": {"no": 0, "yes": 1},
        "problem_type": "single_label_classification",
    }


@pytest.mark.parametrize("labels", [[], ["a"]])
def test_fewer_than_two_classes_are_none(labels: list[str]) -> None:
    with pytest.raises(FinetuningError, match=r"^own\.toml: labels: a classification task names at least two$"):
        own(labels=labels)
    assert own(labels=["a", "b"]).labels == ("a", "b")


def test_a_row_is_its_texts_and_its_class() -> None:
    assert row_of("b") == TextRow("7", "f, line 3", "t", None, "b")
    assert row_of("b", text_b="u", id="x") == TextRow("x", "f, line 3", "t", "u", "b")
    assert row_of("no such class", labelled=False).label is None
    assert row_of(1, task=own(labels=["0", "1"])).label == "1"
    assert [row_of(value, task=own(labels=["false", "true"])).label for value in (False, True)] == ["false", "true"]


@pytest.mark.parametrize(
    ("labels", "label", "says"),
    [
        ("a b", "", "label is empty; write one of 'a', 'b'"),
        ("a b", None, "label is empty; write one of 'a', 'b'"),
        ("a b", "c", "label 'c' is unknown; own knows 'a', 'b'"),
        *(
            ("a b", label, f"label {str(label)!r} is unknown; own knows 'a', 'b', or set labels = [\"0\", \"1\", …] in "
             "the task if the file has class numbers")
            for label in ("0", 1, "00000001")
        ),
        # No number of a class: too large, of other digits, or longer than any.
        *(
            ("a b", label, f"label {label!r} is unknown; own knows 'a', 'b'")
            for label in ("2", "١", "000000001", "1.0")
        ),
        ("a b", " B ", "label ' B ' is unknown; own knows 'a', 'b'; write it exactly as 'b'"),
        ("0 1", "1.0", "label '1.0' is unknown; own knows '0', '1'; write it exactly as '1'"),
        ("x.0 y", "X", "label 'X' is unknown; own knows 'x.0', 'y'; write it exactly as 'x.0'"),
    ],
)  # fmt: skip
def test_a_class_that_the_task_has_not(labels: str, label: Any, says: str) -> None:
    with pytest.raises(FinetuningError) as raised:
        row_of(label, task=own(labels=labels.split()))
    assert str(raised.value) == f"f, line 3: {says}"


def test_classes_are_numbered_in_the_order_of_the_task() -> None:
    rows = rows_of("b-ca")
    assert [list(KIND.classes_in(row)) for row in rows] == [["b"], [], ["c"], ["a"]]
    assert KIND.classes(own(), {"train": rows}) == ("a", "b", "c")
    targets = KIND.targets(rows, ("a", "b", "c"))
    assert (targets.tolist(), targets.dtype) == ([1, -100, 2, 0], np.int64)
    assert KIND.outputs(3) == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_is_the_sum_of_the_cross_entropies(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1.0, -0.5], [0.25, 2.0], [3.0, 3.0]]).to(dtype)
    loss = KIND.loss_sum(logits, SimpleNamespace(labels=torch.tensor([0, -100, 1])))
    shares = np.exp(logits.float().numpy()) / np.exp(logits.float().numpy()).sum(1, keepdims=True)
    assert loss.item() == pytest.approx(-np.log(shares[0, 0]) - np.log(shares[2, 1]))
    assert loss.dtype == torch.float32


def test_answers_have_the_probability_of_every_class() -> None:
    logits = np.array([[0.0, np.log(3.0)], [np.log(2.0), 0.0]], np.float32)
    answers = KIND.decode(own(), ("no", "yes"), rows_of("ab"), None, logits)  # type: ignore[arg-type]
    assert answers == [
        Prediction("0", "a", "yes", {"no": 0.25, "yes": 0.75}),
        Prediction("1", "b", "no", {"no": 0.666667, "yes": 0.333333}),
    ]


@pytest.mark.parametrize("positive", ["a", None])
def test_scores_are_scikit_learn_s(positive: str | None) -> None:
    task = own(metric="f1", metrics=["macro_f1", "accuracy", "f1", "matthews_correlation"], positive_label=positive)
    gold, given = list(GOLD), list(GIVEN)
    scores = KIND.score(task, rows_of(GOLD), ANSWERS)
    assert list(scores) == ["f1", "macro_f1", "accuracy", "matthews_correlation"]
    one = metrics.f1_score(gold, given, labels=[positive or "c"], average=None)[0]  # the last class, where none is said
    expected = [one, metrics.f1_score(gold, given, average="macro"), 4 / 6, metrics.matthews_corrcoef(gold, given)]
    assert list(scores.values()) == pytest.approx(expected)
    for metric in scores:
        weighted = KIND.weighted_score(task.model_copy(update={"metric": metric}), ANSWERS)
        assert weighted(np.ones((1, 6)))[0] == pytest.approx(scores[metric])


def test_constant_answers_are_the_commonest_and_the_positive_class() -> None:
    train, dev = rows_of("aaabbc-"), rows_of("abb")
    assert [(p.id, p.label, p.prediction, p.scores) for p in KIND.constant(own(), train, dev)] == [
        *(("0", "a", "a", None), ("1", "b", "a", None), ("2", "b", "a", None))
    ]
    for positive, expected in ((None, "c"), ("a", "a")):
        found = list(KIND.constants(own(positive_label=positive), dev))
        assert [{p.prediction for p in answers} for answers in found] == [{"b"}, {expected}]
        assert all(
            [(p.id, p.label, p.scores) for p in answers] == [(r.id, r.label, None) for r in dev] for answers in found
        )


def test_errors_and_confusions_of_a_line() -> None:
    line = {"label": "a", "prediction": "b", "scores": {"b": 0.75}}
    assert list(KIND.confusions(line)) == [("a", "b")]
    assert KIND.error(line) == (0.75, "a", "b")
    assert KIND.error(line | {"label": "b"}) is None
    assert KIND.error(line | {"scores": {"b": 0.0}}) is None


def test_a_submission_has_the_classes_themselves() -> None:
    task = own()
    assert (KIND.cell(task, "a"), KIND.allowed(task)) == ("a", "a or b or c")
    assert [KIND.is_answer(task, cell) for cell in ("c", "d", "")] == [True, False, False]
    assert KIND.is_constant(task, rows_of("ab"), [ANSWERS[0], ANSWERS[4]])
    assert not KIND.is_constant(task, rows_of("ab"), ANSWERS[:2])
