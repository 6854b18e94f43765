"""Where a run is wrong: counts by class, and its surest errors with their texts."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from finetuning.kinds.loading import load_task
from finetuning.reporting.error_analysis import ErrorAnalysis, WorstError, analyse, confusion_matrix
from finetuning.reporting.gather import FinishedRun, find_runs
from finetuning.run.identity.inputs import inputs_of
from finetuning.run.specification import RunSpec
from tests.finetuning.reporting.finished_runs import answered

TOKENS = {"id": "0", "label": ["O", "B-PER", "O"], "prediction": ["O", "O", "O"], "scores": [0.9, 0.5, 0.9]}
SPAN = {"id": "q", "label": ["in Paris"], "prediction": "Paris", "scores": {"Paris": 0.9}, "null_odds": -1.0}
NUMBER = {"id": "0", "label": 4.0, "prediction": 1.5, "scores": [1.5]}
CHOICE = {"id": "0", "label": 2, "prediction": 1, "scores": [0.1, 0.7, 0.1, 0.1]}
TASK = (
    'kind = "classification"\nlabels = ["yes", "no"]\nmetric = "accuracy"\ndev = ["try"]\n'
    'columns = { text_a = "text", label = "label", id = "id" }\nsplits = { train = "d.csv", try = "d.csv" }\n'
)

One = Callable[..., FinishedRun]


@pytest.fixture
def own(tmp_path: Path, write_result: Callable[..., Path]) -> One:
    """own(answers, **options of the run) → a run of the task own.toml, whose rows stand in d.csv."""

    def gather(*lines: dict[str, Any], **spec: Any) -> FinishedRun:
        (tmp_path / "own.toml").write_text(TASK)
        run = write_result(tmp_path / "run", task="own", spec={"task": str(tmp_path / "own.toml"), **spec})
        (found,) = find_runs([answered(run, *lines, split="try")])
        return found

    return gather


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., None]:
    """rows("id,text,label", …) writes the rows of the task."""

    def write(*lines: str) -> None:
        (tmp_path / "d.csv").write_text("".join(f"{line}\n" for line in ("id,text,label", *lines)))

    return write


def given(name: str, label: str, prediction: str, probability: float = 0.9) -> dict[str, Any]:
    return {"id": name, "label": label, "prediction": prediction, "scores": {prediction: probability}}


def test_everything_that_is_said_of_a_run(own: One, rows: Callable[..., None], tmp_path: Path) -> None:
    rows("a,one,yes", "b,two,no", "c,three,no", "d,four,yes")
    answers = [given("a", "yes", "no", 0.6), given("b", "no", "yes", 0.8), given("c", "no", "yes", 0.8)]
    assert analyse(own(*answers, given("d", "yes", "yes"))) == ErrorAnalysis(
        task="own",
        split="try",
        folder=str(tmp_path / "run"),
        labels=("yes", "no"),
        confusion=((1, 1), (2, 0)),
        worst=(
            WorstError("b", "two", "no", "yes", 0.8),
            WorstError("c", "three", "no", "yes", 0.8),
            WorstError("a", "one", "yes", "no", 0.6),
        ),
        wrong=3,
        rows=4,
        note="",
    )


def test_ten_errors_are_shown_and_all_are_counted(own: One, rows: Callable[..., None]) -> None:
    rows(*(f"{number},t,no" for number in range(12)))
    run = own(*(given(str(number), "no", "yes", (12 - number) / 16) for number in range(12)))
    found = analyse(run)
    assert ([error.id for error in found.worst], found.wrong) == ([str(number) for number in range(10)], 12)
    found = analyse(run, 2)
    assert ([error.id for error in found.worst], found.wrong) == (["0", "1"], 12)


def test_classes_that_occur_in_the_order_of_the_task_then_others() -> None:
    task = load_task("mnli")
    assert task.labels == ("entailment", "neutral", "contradiction")
    pairs = [("contradiction", "z"), ("entailment", "a"), ("entailment", "entailment"), ("entailment", "entailment")]
    labels, counts = confusion_matrix(task, [{"label": right, "prediction": answer} for right, answer in pairs])
    assert labels == ("entailment", "contradiction", "a", "z")
    assert counts == ((2, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0), (0, 0, 0, 0))
    assert confusion_matrix(load_task("stsb"), [NUMBER]) == ((), ())


def test_texts_are_found_by_position(own: One, rows: Callable[..., None]) -> None:
    """Where ids do not tell rows apart, and where malformed lines were passed over as in the run."""
    rows("0,first,no", "broken", "0,second,no")
    found = analyse(own(given("0", "no", "yes"), given("0", "no", "yes"), skip_malformed=True))
    assert [error.text for error in found.worst] == ["first", "second"]
    assert found.note == ""


def test_texts_of_a_file_that_has_changed_since_are_found_by_id(own: One, rows: Callable[..., None]) -> None:
    rows("b,new,no", "a,old,no", "c,more,no")
    found = analyse(own(given("a", "no", "yes"), given("z", "no", "yes")))
    assert [(error.id, error.text) for error in found.worst] == [("a", "old"), ("z", "")]
    assert found.note == ""


def test_only_the_rows_that_the_run_answered_are_read(own: One, rows: Callable[..., None]) -> None:
    rows("x,first,no", "y,second,no", "y,third,no")
    found = analyse(own(given("y", "no", "yes"), given("x", "no", "yes", 0.8), limit_dev=2))
    assert [(error.id, error.text) for error in found.worst] == [("y", "first"), ("x", "second")]


def test_texts_that_cannot_be_read_any_more(own: One, rows: Callable[..., None]) -> None:
    found = analyse(own(given("0", "no", "yes")))
    assert found.note.startswith("The texts cannot be read any more: ")
    assert "d.csv" in found.note
    assert [error.text for error in found.worst] == [""]
    rows("0,first,no", "broken")
    assert "line 3" in analyse(own(given("0", "no", "yes"))).note


def test_a_benchmark_s_texts_are_read_from_its_files_alone(
    tmp_path: Path, write_result: Callable[..., Path], benchmark_data: Path
) -> None:
    answers = [given(str(number), "1", "0") for number in range(6)]
    for name, data in (("hub", None), ("local", benchmark_data)):
        answered(write_result(tmp_path / name, task="sst2", seed=len(name), spec={"data": data}), *answers)
    hub, local = (analyse(run) for run in find_runs([tmp_path]))
    assert hub.note == "The data came from the hub; texts are shown for local files only."
    assert {error.text for error in hub.worst} == {""}
    assert local.note == ""
    assert all(error.text.startswith("the ") for error in local.worst)


def test_a_split_that_the_data_lack_has_no_texts(own: One, tmp_path: Path) -> None:
    run = own(given("0", "no", "yes"))
    optional = TASK.replace('try = "d.csv"', 'try = { file = "gone.csv", optional = true }')
    (tmp_path / "own.toml").write_text(optional)
    assert (analyse(run).note, analyse(run).worst[0].text) == ("", "")


@pytest.mark.parametrize(
    ("task", "line", "error"),
    [
        ("conll2003", TOKENS, ("0", "", "1:B-PER", "1:O", 1 / 3)),
        ("squad1", SPAN, ("q", "", "in Paris", "Paris", 1 / 3)),
        ("stsb", NUMBER, ("0", "", "4.00", "1.50", 2.5)),
        ("swag", CHOICE, ("0", "", "2", "1", 0.7)),
    ],
)
def test_errors_of_every_kind_of_task(
    tmp_path: Path, write_result: Callable[..., Path], task: str, line: dict[str, Any], error: tuple[Any, ...]
) -> None:
    (run,) = find_runs([answered(write_result(tmp_path / "run", task=task), line)])
    (found,) = analyse(run).worst
    *texts, badness = asdict(found).values()
    assert (*texts, pytest.approx(badness)) == error
    assert json.dumps(asdict(analyse(run)))


def test_texts_of_a_file_that_was_changed_are_not_shown(
    tmp_path: Path, write_result: Callable[..., Path], rows: Callable[..., None]
) -> None:
    """As many rows as before, but other ones."""
    rows("a,one,yes", "b,two,no")
    (tmp_path / "own.toml").write_text(TASK)
    asked = {"task": str(tmp_path / "own.toml")}
    inputs = inputs_of(RunSpec(**asked, model="m", output=tmp_path))
    folder = write_result(tmp_path / "run", task="own", spec=asked, inputs=inputs)
    (run,) = find_runs([answered(folder, given("a", "yes", "no"), given("b", "no", "no"), split="try")])
    assert [(error.text, analyse(run).note) for error in analyse(run).worst] == [("one", "")]
    rows("a,three,yes", "b,four,no")
    assert [error.text for error in analyse(run).worst] == [""]
    assert analyse(run).note == f"The texts are not shown: {tmp_path / 'd.csv'} has changed since the run."
