"""A plan: what is queued is what runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task
from finetuning.run.specification import RunSpec
from finetuning.sweep import main
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.plan import make_plan, read_plan
from finetuning.sweeps.reuse import FinishedRuns

OWN = """
kind = "classification"
metric = "accuracy"
labels = ["no", "yes"]
columns = { text_a = "text", label = "label" }
splits = { train = "train.jsonl", dev = "dev.jsonl" }
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's task file."""
    path = tmp_path / "own" / "polite.toml"
    path.parent.mkdir()
    path.write_text(OWN)
    return path


def config(tmp_path: Path, *tasks: str, **changes: object) -> SweepConfig:
    values = {"models": {"a": "models/not there yet"}, "tasks": tasks, "output": str(tmp_path / "sweep")}
    return SweepConfig.model_validate(values | {"seeds": (1, 2), "learning_rates": (5e-5,)} | changes)


def test_it_is_read_as_it_was_written_and_named_by_what_it_says(tmp_path: Path, own: Path) -> None:
    """No model and no data need be there."""
    sweep = config(tmp_path, "cola", "mnli", "rte", str(own), start_from_mnli=("rte",), options={"dropout": 0.2})
    plan = make_plan(sweep)
    assert not (tmp_path / "sweep").exists()
    file = plan.write()
    found = read_plan(file)
    assert (found.config, found.runs, found.file) == (plan.config, plan.runs, file)
    assert make_plan(sweep).write() == file
    assert make_plan(config(tmp_path, "cola")).write() != file


def test_an_edit_of_a_task_file_changes_nothing_of_a_plan(tmp_path: Path, own: Path) -> None:
    file = make_plan(config(tmp_path, str(own))).write()
    own.write_text(OWN.replace('"no", "yes"', '"no", "maybe"'))
    for run in read_plan(file).runs:
        spec = run.spec(tmp_path)
        assert load_task(spec.task).labels == ("no", "yes")
        assert load_task(spec.task).name == "polite"
        assert spec.data == own.parent, "where the data lay beside the original"
    assert make_plan(config(tmp_path, str(own))).write() != file


def test_a_mistake_in_a_task_file_or_an_option_is_said_before_anything_is_queued(tmp_path: Path, own: Path) -> None:
    for change, message in (({"options": {"dropout": 2}}, "'dropout' of polite"), ({"tasks": ("colla",)}, "mean cola")):
        with pytest.raises(FinetuningError, match=message):
            make_plan(config(tmp_path, str(own), **change))
    own.write_text(OWN.replace(', label = "label"', ""))
    with pytest.raises(FinetuningError, match="label missing for a classification task"):
        make_plan(config(tmp_path, str(own)))
    own.write_text("kind = ")
    with pytest.raises(FinetuningError, match=r"polite.toml: not a TOML file"):
        make_plan(config(tmp_path, str(own)))
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[: len(text) // 2], "is damaged, or a plan of another version"),
        (lambda text: "[]", "another version"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "format 2, this version knows 1"),
        (lambda text: text.replace('"wave": 0', '"tide": 0'), "another version"),
        (lambda text: text.replace('"retries": 1', '"fnord": 1'), "another version"),
        (lambda text: text.replace("seed1", "seed-1"), "its run a/cola/lr5e-05-batch32-epochs3-seed-1 is called"),
    ],
)
def test_a_plan_of_another_version_or_damaged_is_refused(
    tmp_path: Path, change: Callable[[str], str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_plan(config(tmp_path, "cola")).write()
    file.write_text(change(file.read_text()))
    assert main(["--plan", str(file), "--array-index", "0"]) == 2
    assert says in capsys.readouterr().err


def test_a_changed_copy_of_a_task_file_and_no_plan_are_refused(tmp_path: Path, own: Path) -> None:
    plan = make_plan(config(tmp_path, str(own)))
    file = plan.write()
    copy = Path(plan.runs[0].task)
    copy.write_text("else")
    with pytest.raises(FinetuningError, match="copy of a task file, is missing or was changed"):
        read_plan(file)
    copy.unlink()
    with pytest.raises(FinetuningError, match="copy of a task file, is missing or was changed"):
        read_plan(file)
    with pytest.raises(FinetuningError, match="no such plan"):
        read_plan(tmp_path / "none.json")


def test_a_plan_is_all_that_a_sweep_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = make_plan(config(tmp_path, "cola")).write()
    assert main(["--plan", str(file), "--count"]) == 0
    assert capsys.readouterr().out == "2\n"
    assert main(["--plan", str(file), "--tasks", "rte"]) == 2
    assert "--plan says all that a sweep is, so leave out tasks" in capsys.readouterr().err
    assert main(["--plan", str(file), "--array-index", "1", "--array-offset", "1"]) == 2
    assert "--array-index 2 is not in this sweep: it has runs 0 to 1" in capsys.readouterr().err


def test_a_result_without_notes_stands_for_the_copy_of_its_task_and_not_for_another(
    tmp_path: Path, own: Path, write_result: Callable[..., Path]
) -> None:
    plan = make_plan(config(tmp_path, str(own)))
    spec = plan.runs[0].spec(plan.output)
    write_result(spec.output, spec=RunSpec(**{**spec.model_dump(), "task": str(own), "data": None}).model_dump())
    FinishedRuns(plan).check(spec)  # before the copy is written
    plan.write_tasks()
    FinishedRuns(plan).check(spec)
    own.write_text(OWN.replace("text_a", "id"))
    with pytest.raises(FinetuningError, match=r"holds a run with task .*polite.toml, this sweep asks for"):
        FinishedRuns(plan).check(spec)


def test_an_older_plan_does_not_become_the_latest_table(
    tmp_path: Path, write_result: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--models", "a=x", "--tasks", "cola", "--learning-rates", "3e-5", "--output", str(tmp_path), "--slurm"]
    assert main([*options, "--seeds", "1,2"]) == 0
    (old,) = (tmp_path / "plans").glob("*.json")
    assert main([*options, "--seeds", "1,2,3"]) == 0
    write_result(tmp_path / "a" / "cola" / "lr3e-05-batch32-epochs3-seed1", spec={"model": "x"})
    assert main(["--plan", str(old), "--array-index", "0"]) == 0
    assert "1 were there" in capsys.readouterr().out
    assert json.loads((tmp_path / "sweep.json").read_text())["seeds"] == [1, 2, 3]
