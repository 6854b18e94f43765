"""Errors over dev rows from the prediction files of a setting's runs; and why there are none."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from finetuning.reporting.crossed import crossed
from finetuning.reporting.gather import FinishedRun, find_runs

GOLD = ["0", "1"] * 20


@pytest.fixture
def runs(tmp_path: Path, write_result: Callable[..., Path]) -> Callable[..., list[FinishedRun]]:
    """runs(right answers of each seed) → its runs of SST-2, of 40 dev rows."""

    def make(right: Sequence[int], **fields: Any) -> list[FinishedRun]:
        for seed, count in enumerate(right):
            run = write_result(tmp_path / str(seed), task="sst2", seed=seed, score=count / 40, **fields)
            write_lines(run, [given if place < count else "?" for place, given in enumerate(GOLD)])
        return find_runs([tmp_path])

    return make


def write_lines(folder: Path, answers: Sequence[str]) -> None:
    lines = [
        {"id": str(place), "label": gold, "prediction": given, "scores": {}}
        for place, (gold, given) in enumerate(zip(GOLD, answers, strict=False))
    ]
    (folder / "predictions-dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_errors_are_those_of_the_files(runs: Callable[..., list[FinishedRun]]) -> None:
    found, note = crossed(runs([30, 34, 32]))
    assert note == ""
    assert found is not None
    assert (found.rows, found.runs) == (40, 3)
    assert found.error_of_seeds.value == pytest.approx(0.05 / 3**0.5)
    # Rows 30 to 34 are right in 2, 2, 1, 1 runs of three, those before in all, those after in none.
    shares = [1.0] * 30 + [2 / 3] * 2 + [1 / 3] * 2 + [0.0] * 6
    mean = sum(shares) / 40
    expected = (sum((share - mean) ** 2 for share in shares) / 40 / 40) ** 0.5
    assert found.error_of_examples.value == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("missing", "no such file"),
        ("fewer rows", "different numbers of rows: 40, 39, 40"),
        ("other answers", "score 0.7500, its result says 0.8500"),
        ("no label", "are not understood (KeyError('label'))"),
    ],
)
def test_why_there_are_none(runs: Callable[..., list[FinishedRun]], what: str, says: str) -> None:
    made = runs([30, 34, 32])
    file = made[1].folder / "predictions-dev.jsonl"
    if what == "missing":
        file.unlink()
    elif what == "fewer rows":
        write_lines(made[1].folder, GOLD[:34] + ["?"] * 5)
    elif what == "other answers":
        write_lines(made[1].folder, GOLD[:30] + ["?"] * 10)
    else:
        file.write_text('{"id": "0", "prediction": "1", "scores": {}}\n')
    found, note = crossed(made)
    assert found is None
    assert says in note


def test_a_single_row_has_no_spread(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    run = write_result(tmp_path / "run", task="sst2", score=1.0)
    write_lines(run, ["0"])
    assert crossed(find_runs([run])) == (None, "there is only one dev row")


def test_the_best_span_is_read_from_the_scores(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    """SQuAD 2.0 by its best threshold: the answers that were not given count too."""
    given = [
        {"id": "a", "label": ["Paris"], "prediction": "", "scores": {"": 0.6, "Paris": 0.4}, "null_odds": 0.5},
        {"id": "b", "label": [], "prediction": "", "scores": {"": 0.9, "red": 0.1}, "null_odds": 2.0},
    ]
    run = write_result(tmp_path / "run", task="squad2", metric="best_f1", score=1.0, metrics={"best_f1": 1.0})
    (run / "predictions-dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in given))
    found, note = crossed(find_runs([run]))
    assert note == ""
    assert found is not None
    assert found.error_of_examples.value == 0.0
