"""The line that says how far a sweep is."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from finetuning.sweeps.child_processes import Outcome
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.durations import Durations
from finetuning.sweeps.grid import PlannedRun, plan_runs
from finetuning.sweeps.progress_line import ProgressLine


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def runs(tmp_path: Path) -> list[PlannedRun]:
    values = {"models": {"a": "x"}, "tasks": ("cola",), "output": str(tmp_path), "seeds": (1, 2, 3, 4)}
    return plan_runs(SweepConfig.model_validate(values))


@pytest.fixture
def line(tmp_path: Path, runs: list[PlannedRun]):
    """line(quiet=…, terminal=…) → the line, its clock, and what was said so far."""

    def make(*, quiet: bool = False, terminal: bool = False):
        file, clock = io.StringIO(), Clock()
        console = Console(file=file, force_terminal=terminal, width=200, _environ={"TERM": "xterm"})
        made = ProgressLine(tmp_path, [runs], Durations(), 2, console, quiet=quiet, clock=clock)
        return made, clock, file.getvalue

    return make


def test_it_counts_and_learns_how_long_runs_take(
    line: Callable[..., tuple[ProgressLine, Clock, Callable[[], str]]],
    runs: list[PlannedRun],
    tmp_path: Path,
    write_result: Callable[..., Path],
) -> None:
    shown, _, said = line()
    running = {runs[0]: 1.0, runs[1]: 1.0}
    assert shown.text(running).startswith("0 done, 0 failed, 4 left, of which 2 run: how long is not known")
    write_result(tmp_path / runs[0].folder, seconds=100.0, seconds_per_epoch=30.0)
    shown.settled(Outcome(runs[0], "finished", 1))
    assert said() == f"1/4 finished {runs[0].folder}  score 0.5000\n"
    assert shown.text({runs[1]: 40.0}) == "1 done, 0 failed, 3 left, of which 1 run: about 2 min"  # (60+100+100)/2
    shown.settled(Outcome(runs[1], "failed", 2, "wrong input: so"))
    shown.settled(Outcome(runs[2], "postponed", 1, "away"))
    assert said().endswith(f"3/4 postponed {runs[2].folder}  away\n")
    assert shown.text({}) == "1 done, 1 failed, 1 postponed, 1 left, of which 0 run: about 2 min"
    shown.dropped(runs[3])
    assert "0 left" in shown.text({})


def test_a_run_that_was_there_is_no_news(
    line: Callable[..., tuple[ProgressLine, Clock, Callable[[], str]]],
    runs: list[PlannedRun],
    tmp_path: Path,
    write_result: Callable[..., Path],
) -> None:
    shown, _, said = line()
    write_result(tmp_path / runs[0].folder)
    shown.settled(Outcome(runs[0], "present", 1))
    shown.settled(Outcome(runs[0], "present", 1))
    assert said().count("\n") == 1


def test_a_file_gets_a_line_a_minute_and_a_quiet_sweep_none(
    line: Callable[..., tuple[ProgressLine, Clock, Callable[[], str]]], runs: list[PlannedRun]
) -> None:
    shown, clock, said = line()
    for second in range(150):
        clock.now = float(second)
        shown.tick({})
    assert said().count("4 left") == 2
    shown, clock, said = line(quiet=True)
    clock.now = 1000.0
    shown.tick({})
    assert said() == ""
    shown.settled(Outcome(runs[0], "failed", 1, "so"))
    assert said() == f"1/4 failed   {runs[0].folder}  so\n"


def test_a_terminal_has_one_line_that_goes_in_the_end(
    line: Callable[..., tuple[ProgressLine, Clock, Callable[[], str]]], runs: list[PlannedRun]
) -> None:
    shown, clock, said = line(terminal=True)
    for second in (1, 2, 3):
        clock.now = float(second)
        shown.tick({runs[0]: 1.0})
    shown.end()
    assert "4 left, of which 1 run" in said()
    assert "\n0 done" not in said()
    shown.end()
