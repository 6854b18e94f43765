"""The plan: one recipe for both sides, in turns, and the data sets that are there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.finetuning.comparisons import COMPARISONS
from benchmarks.finetuning.plan import Plan, chosen, in_turns
from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task


def test_both_sides_train_by_one_recipe(planned: Callable[..., Plan]) -> None:
    runs = planned("cola", seeds=3).runs
    assert [(run.spec.seed, run.side) for run in runs] == [
        *((1, "ours"), (1, "transformers"), (2, "transformers"), (2, "ours"), (3, "ours"), (3, "transformers"))
    ]
    assert len({run.spec.model_copy(update={"seed": 1}).model_dump_json() for run in runs}) == 1
    assert len({run.file for run in runs}) == 6
    spec = runs[0].spec
    assert spec.group_by_length
    assert (spec.precision, spec.threads, spec.device) == ("fp32", 1, "cpu")
    assert (spec.learning_rate, spec.batch_size, spec.epochs) == (2e-4, 16, 2)


def test_options_go_before_the_comparisons_own_numbers(planned: Callable[..., Plan]) -> None:
    plan = planned("cola", limit_train=7, limit_dev=5, epochs=2.5, threads=2)
    assert (plan.train_rows, plan.dev_rows, plan.epochs) == (7, 5, 2.5)
    assert plan.runs[0].spec.threads == 2
    assert plan.runs[0].spec.epochs == 2.5
    assert planned("cola", limit_train=None, limit_dev=None).train_rows == 12  # all that there are


def test_seeds_come_first(planned: Callable[..., Plan]) -> None:
    runs = in_turns({name: planned(name, seeds=2) for name in ("cola", "conll2000")})
    assert [(run.spec.seed, run.name) for run in runs[::2]] == [
        *((1, "cola"), (1, "conll2000"), (2, "cola"), (2, "conll2000"))
    ]


def test_what_is_compared(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(chosen(data, ())) == ["questions", "conll2000", "cola", "rte", "stsb", "squad1"]
    assert "left out, for there is no folder: movie-reviews, subjectivity, conll2002-dutch" in capsys.readouterr().err
    assert list(chosen(data, ("squad1", "cola"))) == ["squad1", "cola"]
    with pytest.raises(FinetuningError, match="no comparison for 'mnli'"):
        chosen(data, ("cola", "mnli"))
    with pytest.raises(FinetuningError, match="none of the folders"):
        chosen(tmp_path, ())


@pytest.mark.parametrize("name", COMPARISONS)
def test_its_task_is_there_under_its_name(name: str) -> None:
    assert load_task(COMPARISONS[name].task).name == name
