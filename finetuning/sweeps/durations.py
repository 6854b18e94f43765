"""How long runs take, by those that are finished: nothing is guessed that was not measured."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.result import RESULT_FILE, Result
from finetuning.sweeps.attempts import ATTEMPTS, LOGS, last_attempt
from finetuning.sweeps.grid import PlannedRun

MOST_STARTING_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Measured:
    batch_size: int
    around: float
    """Seconds without training: starting, reading, encoding, scoring."""
    per_epoch: float


class Durations:
    """Seconds of runs of a model and a task, from finished ones of the same, of whatever grid."""

    def __init__(self) -> None:
        self._measured: dict[tuple[str, str], dict[Path, _Measured]] = defaultdict(dict)

    @classmethod
    def of(cls, output: Path, runs: Iterable[PlannedRun]) -> Durations:
        """From the results of the runs' models and tasks in the sweep folder `output`."""
        durations = cls()
        for label, task in dict.fromkeys((run.model_label, run.task_name) for run in runs):
            for file in sorted((output / label / task).glob(f"*/{RESULT_FILE}")):
                durations.add(label, task, output, file.parent)
        return durations

    def add(self, label: str, task: str, output: Path, folder: Path) -> None:
        """Count the result in a run's folder; one that ended early or cannot be read says nothing."""
        try:
            result = Result.read(folder)
        except FinetuningError:  # who needs its score says so
            return
        if result.stopped_early or result.diverged:
            return
        around = max(0.0, result.seconds - result.epochs * result.seconds_per_epoch) + _starting(output, folder, result)
        self._measured[label, task][folder] = _Measured(result.batch_size, around, result.seconds_per_epoch)

    def count(self, label: str, task: str) -> int:
        """How many results are known of a model and a task."""
        return len(self._measured[label, task])

    def seconds(self, run: PlannedRun) -> float | None:
        """Of a run from its start to its end; None where no run of its model and task has been measured.

        The median over those of its batch size, or of any where none has it; epochs are scaled.
        """
        known = list(self._measured[run.model_label, run.task_name].values())
        alike = [one for one in known if one.batch_size == run.batch_size] or known
        if not alike:
            return None
        return statistics.median(one.around + run.epochs * one.per_epoch for one in alike)


def _starting(output: Path, folder: Path, result: Result) -> float:
    """Seconds that the process of a run took beside the run, to load what it needs; 0 where its files do not tell."""
    began = last_attempt(output / LOGS / folder.relative_to(output) / ATTEMPTS).get("started")
    if not isinstance(began, int | float):
        return 0.0
    seconds = (folder / RESULT_FILE).stat().st_mtime - began - result.seconds
    return seconds if 0 < seconds < MOST_STARTING_SECONDS else 0.0  # a copied file has another time


@dataclass(frozen=True, slots=True)
class Forecast:
    """When runs will be over. `unknown`: tasks of which nothing was measured; `seconds` leave their runs out."""

    seconds: float
    unknown: tuple[str, ...]


def forecast(
    stages: Iterable[Iterable[PlannedRun]],
    durations: Durations,
    at_once: int,
    begun: Mapping[PlannedRun, float] | None = None,
) -> Forecast:
    """The time that runs take, stage by stage, `at_once` at a time.

    A stage takes its runs' time shared out, and not less than its longest run.

    Args:
        stages: the runs that are not over, of each stage.
        durations: what was measured.
        at_once: how many run at a time.
        begun: seconds since each run began that is going on.
    """
    total = 0.0
    unknown: dict[str, None] = {}
    for stage in stages:
        left = []
        for run in stage:
            seconds = durations.seconds(run)
            if seconds is None:
                unknown[run.task_name] = None
            else:
                left.append(max(0.0, seconds - (begun or {}).get(run, 0.0)))
        if left:
            total += max(sum(left) / max(1, at_once), *left)
    return Forecast(total, tuple(unknown))


def in_words(forecast: Forecast) -> str:
    """`about 2 h 10 min`, and what it leaves out."""
    unknown = ", ".join(forecast.unknown)
    if not forecast.unknown and not forecast.seconds:  # what runs takes longer than others did
        return "due now"
    if not forecast.unknown:
        return f"about {span(forecast.seconds)}"
    if not forecast.seconds:
        return f"how long is not known before the first run of each task ends ({unknown})"
    return f"about {span(forecast.seconds)} without {unknown}, not known before the first run of each task ends"


def span(seconds: float) -> str:
    """A time in words of the size that matters: `40 s`, `7 min`, `2 h 10 min`, `3 d 4 h`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
