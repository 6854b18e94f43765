"""How far a sweep is, while it runs: one line that is kept up to date, or one a minute where nobody can see that."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.status import Status

from finetuning.run.result import Result
from finetuning.sweeps.child_processes import Outcome
from finetuning.sweeps.durations import Durations, forecast, in_words
from finetuning.sweeps.grid import PlannedRun

TERMINAL_SECONDS = 1.0
LOG_SECONDS = 60.0
"""Between two lines in a file, as in a job's log."""


class ProgressLine:
    """Says what became of each run, and in between how many are done and left, and until when.

    Args:
        output: the sweep's folder.
        stages: the runs to do, of each stage.
        durations: what finished runs took; those of this sweep are added.
        at_once: how many run at a time.
        console: where to.
        quiet: say only what failed or was postponed.
        clock: seconds.
    """

    def __init__(
        self,
        output: Path,
        stages: Iterable[Iterable[PlannedRun]],
        durations: Durations,
        at_once: int,
        console: Console,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.output, self.durations, self.at_once = output, durations, at_once
        self.console, self.quiet, self.clock = console, quiet, clock
        self._left = [list(stage) for stage in stages]
        self._total = sum(map(len, self._left))
        self._states: Counter[str] = Counter()
        self._said = clock()
        self._status: Status | None = None

    def settled(self, outcome: Outcome) -> None:
        """A run is over, or was there."""
        run = outcome.run
        was_due = any(run in stage for stage in self._left)
        self.dropped(run, count=False)
        scored = outcome.state in ("present", "finished")
        if scored:
            self.durations.add(run.model_label, run.task_name, self.output, self.output / run.folder)
        if not was_due:  # it was announced as being there
            return
        self._states["done" if scored else outcome.state] += 1
        if self.quiet and scored:
            return
        score = f"  score {Result.read(self.output / run.folder).score:.4f}" if scored else ""
        detail = f"  {outcome.message}" if outcome.message else ""
        place = f"{sum(self._states.values())}/{self._total}"
        self.console.print(f"{place} {outcome.state:8} {run.folder}{score}{detail}", highlight=False, markup=False)

    def dropped(self, run: PlannedRun, *, count: bool = True) -> None:
        """A run is not made after all: its setting is not among the best."""
        for stage in self._left:
            if run in stage:
                stage.remove(run)
                self._total -= count

    def tick(self, running: Mapping[PlannedRun, float]) -> None:
        """To be called often. `running`: seconds since each run began that is going on."""
        if self.quiet:
            return
        now = self.clock()
        if now - self._said < (TERMINAL_SECONDS if self.console.is_terminal else LOG_SECONDS):
            return
        self._said = now
        if not self.console.is_terminal:
            self.console.print(self.text(running), highlight=False, markup=False)
            return
        if self._status is None:
            self._status = self.console.status("")
            self._status.start()
        self._status.update(self.text(running).replace("[", r"\["))

    def text(self, running: Mapping[PlannedRun, float]) -> str:
        """`12 done, 1 failed, 27 left, of which 4 run; about 1 h 10 min`."""
        left = self._total - sum(self._states.values())
        parts = [f"{self._states['done']} done", f"{self._states['failed']} failed"]
        if self._states["postponed"]:
            parts.append(f"{self._states['postponed']} postponed")
        parts.append(f"{left} left, of which {len(running)} run")
        return f"{', '.join(parts)}: {in_words(forecast(self._left, self.durations, self.at_once, running))}"

    def end(self) -> None:
        """The line goes; what was said stays."""
        if self._status is not None:
            self._status.stop()
            self._status = None
