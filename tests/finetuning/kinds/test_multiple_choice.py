"""Choices of an ending: rows of every layout, the pairs that are read, and scores."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import parse_task
from finetuning.kinds.multiple_choice import KIND
from finetuning.kinds.rows import ChoiceRow
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer

COLUMNS: dict[str, Any] = {"text_a": "context", "endings": ("e0", "e1", "e2"), "label": "right"}
VALUES: dict[str, Any] = {"context": "he ran", "e0": "in", "e1": "on", "e2": "near", "right": "2", "more": "she"}


def own(**keys: Any) -> Task:
    table = {"name": "own", "kind": "choice", "format": "jsonl", "metric": "accuracy", "choices": 3}
    return parse_task(table | {"splits": {"dev": "d.jsonl"}} | keys, "own.toml")


def row_of(
    columns: dict[str, Any] = COLUMNS, labelled: bool = True, task: Task | None = None, **values: Any
) -> ChoiceRow:
    return KIND.row(task or own(), Record("f, line 3", VALUES | values, columns, 7), labelled)


def row(label: int | None, *endings: str, text_b: str = "", place: str = "f") -> ChoiceRow:
    return ChoiceRow("0", place, "he ran", text_b, endings or ("in", "on", "near"), label)


def test_what_it_is_to_files_and_to_transformers() -> None:
    assert (KIND.name, KIND.architecture, KIND.metrics) == ("choice", "BertForMultipleChoice", ("accuracy",))
    assert KIND.formats == ("jsonl", "parquet", "swag", "csv", "tsv")
    assert (KIND.required, KIND.optional) == (set(), {"id", "text_a", "text_b", "endings", "label"})
    assert (KIND.new_roles, KIND.further_roles) == (("text_a", "endings"), ("text_b", "id"))
    assert (KIND.outputs(9), KIND.huggingface_settings(())) == (1, {})


def test_endings_stand_in_columns_or_in_a_list() -> None:
    expected = ChoiceRow("7", "f, line 3", "he ran", "", ("in", "on", "near"), 2)
    assert row_of() == expected
    assert row_of(COLUMNS | {"endings": "e0 e1 e2"}) == expected  # as the hub's columns are named
    assert row_of(COLUMNS | {"endings": "list"}, list=["in", "on", "near"]) == expected
    assert row_of(COLUMNS | {"endings": ("list",)}, list=["in", "on", "near"]) == expected
    unnamed = {name: column for name, column in COLUMNS.items() if name != "endings"}
    assert row_of(unnamed, endings=["in", "on", "near"]) == expected
    assert row_of(COLUMNS | {"text_b": "more"}).text_b == "she"
    assert row_of(labelled=False).label is None
    assert [row_of(right=value).label for value in ("0", 1)] == [0, 1]
    two = COLUMNS | {"endings": ("e0", "e1")}
    assert row_of(two, task=own(choices=2), right=1).endings == ("in", "on")


@pytest.mark.parametrize(
    ("columns", "values", "says"),
    [
        ({"endings": ("e0", "e1")}, {}, "2 endings where own has choices = 3"),
        ({"endings": "list"}, {"list": ["a"] * 4}, "4 endings where own has choices = 3"),
        ({"endings": "list"}, {"list": ["a", 1, "b"]}, "endings is ['a', 1, 'b'], not a list of texts; write one"),
        ({}, {"e1": 5, "e2": 6}, "an ending is 5, not a text; write a string"),
        *(
            ({}, {"right": value}, f"label {str(value)!r} is unknown; write 0 to 2")
            for value in ("3", -1, "", "1.0", None)
        ),
        ({"endings": ("e0", "e1", "e9")}, {}, f"column 'e9' is missing; it has {', '.join(map(repr, VALUES))}"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_one_sentence(columns: dict[str, Any], values: dict[str, Any], says: str) -> None:
    with pytest.raises(FinetuningError) as raised:
        row_of(COLUMNS | columns, **values)
    assert str(raised.value) == f"f, line 3: {says}"


def test_each_ending_is_read_with_the_context(tokenizer: Tokenizer) -> None:
    rows = [row(1, text_b="she"), row(None, "", " on", "near the house")]
    split = KIND.encode(own(), rows, tokenizer, (), 32)
    ids = [split.input_ids_t[a:b].tolist() for a, b in zip(split.offsets_s[:-1], split.offsets_s[1:], strict=True)]
    seconds = ("she in", "she on", "she near", "", "on", "near the house")
    assert [[tokenizer.tokens[index] for index in one] for one in ids] == [
        ["[CLS]", "he", "ran", "[SEP]", *second.split(), "[SEP]"] for second in seconds
    ]
    assert (split.group, split.items) == (3, 2)
    assert (split.labels.tolist(), split.labels.dtype) == ([1, -100], np.int64)
    short = KIND.encode(own(), rows[:1], tokenizer, (), 5)
    assert set(np.diff(short.offsets_s)) == {5}


def test_rows_with_other_numbers_of_endings_are_named(tokenizer: Tokenizer) -> None:
    rows = [row(0), row(0, "in", "on", place="g, line 5"), row(0, "in", place="h")]
    with pytest.raises(FinetuningError, match=r"^g, line 5: 2 endings where the task has 3$"):
        KIND.encode(own(), rows, tokenizer, (), 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_is_the_sum_over_the_choices(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1.0, -0.5, 0.0], [0.25, 2.0, 1.0], [3.0, 3.0, 3.0]]).to(dtype)
    loss = KIND.loss_sum(logits, SimpleNamespace(labels=torch.tensor([1, -100, 2])))
    expected = np.log(np.exp([1.0, -0.5, 0.0]).sum()) + 0.5 + np.log(3.0)
    assert (loss.item(), loss.dtype) == (pytest.approx(expected), torch.float32)


def test_answers_and_their_score() -> None:
    rows = [row(0), row(1), row(1), row(2)]
    logits = np.log(np.array([[2, 1, 1], [1, 2, 1], [2, 1, 3], [1, 1, 2]], np.float32))
    answers = KIND.decode(own(), (), rows, None, logits)  # type: ignore[arg-type]
    assert answers[:3] == [
        Prediction("0", 0, 0, [0.5, 0.25, 0.25]),
        Prediction("0", 1, 1, [0.25, 0.5, 0.25]),
        Prediction("0", 1, 2, [0.333333, 0.166667, 0.5]),
    ]
    assert KIND.score(own(), rows, answers) == {"accuracy": 0.75}
    weights = np.array([[1, 1, 1, 1], [0, 1, 3, 0]])
    assert KIND.weighted_score(own(), answers)(weights).tolist() == [0.75, 0.25]


def test_the_commonest_choice_is_the_constant_answer() -> None:
    dev = [row(2), row(0)]
    assert {p.prediction for p in KIND.constant(own(), [row(1), row(2), row(1)], dev)} == {1}
    assert [{p.prediction for p in answers} for answers in KIND.constants(own(), [row(2), row(0), row(2)])] == [{2}]


def test_errors_are_the_probability_of_the_wrong_choice() -> None:
    line = {"label": 2, "prediction": 1, "scores": [0.125, 0.75, 0.125]}
    assert KIND.error(line) == (0.75, "2", "1")
    assert KIND.error(line | {"prediction": 2}) is None
    assert list(KIND.confusions(line)) == [("2", "1")]


def test_each_item_has_a_score_for_every_choice() -> None:
    """Of two items with two sequences each."""
    pooled, packed = torch.arange(8.0).view(4, 2), SimpleNamespace(cu_seqlens=torch.tensor([0, 1, 2, 3, 4]))
    found = KIND.logits(
        lambda given: (None, pooled) if given is packed else None,  # type: ignore[arg-type, return-value]
        lambda rows_nh, token_n: rows_nh + token_n[:, None],
        lambda rows_nh: rows_nh.sum(1, keepdim=True),  # type: ignore[arg-type]
        SimpleNamespace(packed=packed, items=[5, 7]),  # type: ignore[arg-type]
    )
    assert found.tolist() == [[1.0, 7.0], [13.0, 19.0]]
