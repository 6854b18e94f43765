"""What bends a score without stopping a run is said."""

from pathlib import Path

import pytest

from finetuning.kinds.loading import load_task
from finetuning.kinds.rows import ChoiceRow, Row, SpanRow, SplitRows, TextRow, TokenRow
from finetuning.run.loop import Trained
from finetuning.run.remarks import data_remarks, training_remarks
from finetuning.run.specification import RunSpec


def texts(*pairs: tuple[str, str | float]) -> list[Row]:
    return [TextRow(str(n), "p", text, None, label) for n, (text, label) in enumerate(pairs)]


def remarks(task: str, train: list[Row], dev: list[Row]) -> tuple[str, ...]:
    splits = {"train": SplitRows("train", tuple(train), True), "dev": SplitRows("dev", tuple(dev), True)}
    return data_remarks(load_task(task).model_copy(update={"dev": ("dev",)}), splits)


GOOD = texts(("a", "0"), ("b", "1"))


def test_ordinary_splits_need_no_remark() -> None:
    assert remarks("sst2", GOOD, texts(("c", "0"), ("d", "1"))) == ()
    assert remarks("sst2", GOOD, texts(("c", "0"))) == (), "one row cannot have two labels"


@pytest.mark.parametrize(
    ("task", "rows", "label"),
    [
        ("sst2", texts(("c", "0"), ("d", "0")), "'0'"),
        ("stsb", texts(("c", 1.5), ("d", 1.5)), "1.5"),
        ("swag", [ChoiceRow(n, "p", n, "", ("a", "b", "c", "d"), 2) for n in "cd"], "2"),
        ("conll2003", [TokenRow(n, "p", (n, "x"), ("O", "O")) for n in "cd"], "'O'"),
    ],
)
def test_a_split_of_one_label(task: str, rows: list[Row], label: str) -> None:
    metric = load_task(task).metric
    assert remarks(task, rows, [*rows[:1]])[0] == (
        f"every label of the train split is {label}, so nothing else can be learnt; look at its file"
    )
    (note, *_) = [note for note in remarks(task, rows, rows) if "dev split is" in note]
    assert note == f"every label of the dev split is {label}, so {metric} says little there; look at its file"


def test_rows_of_training_in_a_dev_split() -> None:
    (note,) = remarks("sst2", GOOD, GOOD)
    assert note.startswith("2 of 2 rows of the dev split stand in the train split too")
    # Whatever the label is: a row that is there with another one is no better.
    assert remarks("sst2", GOOD, texts(("a", "1"), ("x", "0")))[0].startswith("1 of 2 rows of the dev split")
    few = texts(("a", "1"), *((f"x{n}", str(n % 2)) for n in range(9)))
    assert remarks("sst2", GOOD, few) == (), "a tenth is usual"


def test_a_question_about_another_paragraph_is_another_row() -> None:
    train: list[Row] = [SpanRow("1", "p", "when?", "in 1999", ()), SpanRow("2", "p", "who?", "he", ())]
    assert remarks("squad2", train, [SpanRow("3", "p", "when?", "in 2001", ())]) == ()
    assert len(remarks("squad2", train, [SpanRow("3", "p", "when?", "in 1999", ())])) == 1


def test_training_that_ended_in_no_number_and_a_rate_that_is_hardly_meant() -> None:
    spec = RunSpec(task="cola", model="m", output=Path("o"))
    assert training_remarks(spec, Trained()) == ()
    large = spec.model_copy(update={"learning_rate": 0.3})
    assert training_remarks(large, Trained()) == ("the learning rate 0.3 is very large for BERT, where 3e-5 is usual",)
    (note,) = training_remarks(spec, Trained(diverged=True))
    assert note.startswith("training diverged: its loss is no finite number any more")
    assert note.endswith("lower --learning-rate (it is 3e-05)")


def test_the_largest_rate_that_may_be_meant() -> None:
    spec = RunSpec(task="cola", model="m", output=Path("o"), learning_rate=0.01)
    assert training_remarks(spec, Trained()) == ()
