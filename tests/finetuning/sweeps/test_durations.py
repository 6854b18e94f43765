"""How long runs take is said by runs that are finished, and by nothing else."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.durations import Durations, Forecast, forecast, in_words, span
from finetuning.sweeps.grid import PlannedRun, plan_runs


def runs_in(output: Path, **changes: object) -> list[PlannedRun]:
    values = {"models": {"a": "x"}, "tasks": ("cola", "rte"), "output": str(output), "seeds": (1, 2)}
    return plan_runs(SweepConfig.model_validate(values | changes))


def test_a_run_takes_what_others_of_its_model_and_task_took_by_its_own_epochs(
    tmp_path: Path, write_result: Callable[..., Path]
) -> None:
    runs = runs_in(tmp_path)
    cola, rte = runs[0], runs[1]
    assert Durations.of(tmp_path, runs).seconds(cola) is None
    folder = tmp_path / "a" / "cola"
    write_result(folder / "another grid", seconds=50.0, seconds_per_epoch=10.0, epochs=3.0, batch_size=32)
    write_result(folder / "and batch", seconds=500.0, seconds_per_epoch=100.0, epochs=3.0, batch_size=8)
    write_result(folder / "ended early", seconds=1.0, seconds_per_epoch=0.1, epochs=3.0, stopped_early=True)
    durations = Durations.of(tmp_path, runs)
    assert durations.seconds(cola) == 50
    assert durations.seconds(replace(cola, epochs=5.0)) == 70
    assert durations.seconds(replace(cola, batch_size=8)) == 500
    assert durations.seconds(replace(cola, batch_size=16)) == 275  # of neither: the middle of both
    assert durations.seconds(rte) is None
    (folder / "damaged").mkdir()
    (folder / "damaged" / "result.json").write_text("{")
    assert Durations.of(tmp_path, runs).seconds(cola) == 50


def test_the_start_of_a_process_counts_where_the_files_tell(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    run = runs_in(tmp_path)[0]
    write_result(tmp_path / run.folder, seconds=50.0, seconds_per_epoch=10.0)
    logs = tmp_path / "logs" / run.folder
    logs.mkdir(parents=True)
    (logs / "attempts.jsonl").write_text(json.dumps({"started": 1000.0}) + "\n")
    for finished, seconds in ((1062.0, 62.0), (1040.0, 50.0), (9000.0, 50.0)):  # a copied file's time says nothing
        os.utime(tmp_path / run.folder / "result.json", (finished, finished))
        assert Durations.of(tmp_path, [run]).seconds(run) == seconds


def test_a_stage_takes_its_time_shared_out_and_no_less_than_its_longest_run(
    tmp_path: Path, write_result: Callable[..., Path]
) -> None:
    runs = runs_in(tmp_path, seeds=(1, 2, 3, 4))
    cola, rte = runs[::2], runs[1::2]
    write_result(tmp_path / cola[0].folder, seconds=40.0, seconds_per_epoch=10.0)
    durations = Durations.of(tmp_path, runs)
    assert forecast([cola], durations, 2) == Forecast(80.0, ())
    assert forecast([cola], durations, 8) == Forecast(40.0, ())
    assert forecast([cola[:2], cola[2:]], durations, 8) == Forecast(80.0, ())
    assert forecast([cola[:1]], durations, 8, {cola[0]: 30.0}) == Forecast(10.0, ())
    assert forecast([cola[:1]], durations, 8, {cola[0]: 90.0}) == Forecast(0.0, ())
    assert forecast([runs], durations, 2) == Forecast(80.0, ("rte",))
    assert forecast([rte], durations, 2) == Forecast(0.0, ("rte",))


@pytest.mark.parametrize(
    ("seconds", "unknown", "words"),
    [
        (65.0, (), "about 65 s"),
        (0.0, (), "due now"),
        (7 * 60.0, (), "about 7 min"),
        (7800.0, (), "about 2 h 10 min"),
        (3600.0 * 76, (), "about 3 d 4 h"),
        (0.0, ("cola", "rte"), "how long is not known before the first run of each task ends (cola, rte)"),
        (65.0, ("rte",), "about 65 s without rte, not known before the first run of each task ends"),
    ],
)
def test_it_is_said_in_words(seconds: float, unknown: tuple[str, ...], words: str) -> None:
    assert in_words(Forecast(seconds, unknown)) == words


def test_no_time_is_none() -> None:
    assert span(0.0) == "1 s"
