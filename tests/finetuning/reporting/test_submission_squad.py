"""SQuAD's files under the names of its scripts, with the run's null threshold or another."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import kind_of, load_task
from finetuning.reporting.gather import FinishedRun, find_runs
from finetuning.reporting.submission import squad_files


def squad_run(folder: Path, write_result: Callable[..., Path], task: str, **fields: Any) -> FinishedRun:
    """A run of three questions, of which it answers q1; with their odds against any answer."""
    run, loaded = write_result(folder, task=task, **fields), load_task(task)
    rows = [
        Prediction("q1", ["Paris"], "Paris", {"Paris": 0.9, "in Paris": 0.1}, -3.5, "Paris"),
        Prediction("q2", [], "", {"": 0.8, "he": 0.2}, 2.0, "he"),
        Prediction("q3", [], "", {"": 0.9}, 2.5, "it"),
    ]
    kind_of(loaded).write_benchmark_files(run, loaded, "dev", rows)
    return find_runs([run])[0]


@pytest.mark.parametrize("task", ["squad1", "squad2"])
def test_squad_s_files_have_the_scripts_names(tmp_path: Path, write_result: Callable[..., Path], task: str) -> None:
    run, output = squad_run(tmp_path / "run", write_result, task), tmp_path / "out"
    names = ["predictions.json", "nbest_predictions.json", *(["null_odds.json"] if task == "squad2" else [])]
    assert squad_files(run, "dev", output) == [output / name for name in names]
    assert sorted(path.name for path in output.iterdir()) == sorted(names)
    read = {name: json.loads((output / name).read_text()) for name in names}
    assert read["predictions.json"] == {"q1": "Paris", "q2": "", "q3": ""}
    assert read["nbest_predictions.json"] == {
        "q1": [{"text": "Paris", "probability": 0.9}, {"text": "in Paris", "probability": 0.1}],
        "q2": [{"text": "", "probability": 0.8}, {"text": "he", "probability": 0.2}],
        "q3": [{"text": "", "probability": 0.9}],
    }
    assert read.get("null_odds.json", {}) == ({"q1": -3.5, "q2": 2.0, "q3": 2.5} if task == "squad2" else {})
    with pytest.raises(FinetuningError, match=r"squad-test-predictions\.json: no such file; .* whole split test$"):
        squad_files(run, "test", output)


@pytest.mark.parametrize(
    ("threshold", "answers"),
    [
        ("best", {"q1": "Paris", "q2": "he", "q3": ""}),
        ("0", {"q1": "Paris", "q2": "", "q3": ""}),
        ("-3.6", {"q1": "", "q2": "", "q3": ""}),
        ("inf", {"q1": "Paris", "q2": "he", "q3": "it"}),
    ],
)
def test_answers_at_a_null_threshold(
    tmp_path: Path, write_result: Callable[..., Path], threshold: str, answers: dict[str, str]
) -> None:
    run = squad_run(tmp_path / "run", write_result, "squad2", metrics={"f1": 0.5, "best_f1_threshold": 2.0})
    squad_files(run, "dev", tmp_path / "at", threshold)
    squad_files(run, "dev", tmp_path / "as-answered")
    assert json.loads((tmp_path / "at" / "predictions.json").read_text()) == answers
    for name in ("nbest_predictions.json", "null_odds.json"):
        assert (tmp_path / "at" / name).read_bytes() == (tmp_path / "as-answered" / name).read_bytes()


@pytest.mark.parametrize(
    ("task", "threshold", "gone", "says"),
    [
        ("squad2", "nan", "", "--null-threshold nan: write a number, or best"),
        ("squad2", "low", "", "--null-threshold low: write a number, or best"),
        ("squad2", "best", "", "its result has no best_f1_threshold; give --null-threshold a number"),
        ("squad1", "1", "", "a null threshold needs a run of SQuAD 2.0"),
        ("squad2", "1", "best-spans", "squad-dev-best-spans.json: no such file; a null threshold needs"),
    ],
)
def test_null_thresholds_that_are_refused(
    tmp_path: Path, write_result: Callable[..., Path], task: str, threshold: str, gone: str, says: str
) -> None:
    run = squad_run(tmp_path / "run", write_result, task)
    if gone:
        (run.folder / f"squad-dev-{gone}.json").unlink()
    with pytest.raises(FinetuningError, match=re.escape(says)):
        squad_files(run, "dev", tmp_path / "out", threshold)
