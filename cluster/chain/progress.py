"""How far a stage is, by the files that it leaves anyway: nothing here asks Slurm."""

import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

_TAIL_BYTES = 1 << 16
_LONGEST_SECONDS = 10 * 365 * 86400.0  # what claims to take longer is not believed


@dataclass(frozen=True)
class Progress:
    """How far a stage is; `seconds_left`, None where nothing tells, are counted from the Unix time `updated`."""

    text: str
    seconds_left: float | None = None
    updated: float | None = None
    is_of_one: bool = False
    """Whether `seconds_left` are those of one task alone, of which several may run."""

    def end(self, now: datetime, running: int) -> datetime | None:
        """When it will have ended, by the speed so far and with so many tasks that run; None where nothing tells."""
        if self.seconds_left is None or not 0 <= self.seconds_left < _LONGEST_SECONDS:
            return None
        passed = 0.0 if self.updated is None else max(0.0, now.timestamp() - self.updated)
        left = self.seconds_left / max(1, running) if self.is_of_one else self.seconds_left
        return now + timedelta(seconds=max(0.0, left - passed))


@dataclass(frozen=True)
class SweepRuns:
    """The runs of a sweep that are due, by what became of them, and the mean seconds of a finished one."""

    total: int
    finished: int
    failed: int
    mean_seconds: float | None

    @property
    def missing(self) -> int:
        return self.total - self.finished


def progress_of_build(folder: Path) -> Progress | None:
    """Of the build into `folder`, by its `progress.json`."""
    found = _object(folder / "progress.json")
    try:
        text = f"{found['phase']}: {found['done']:,} of {found['total']:,} {found['unit']}"
        left = found["seconds_left"]
        return Progress(text, None if left is None else float(left), float(found["updated"]))
    except (KeyError, TypeError, ValueError):
        return None


def progress_of_run(folder: Path) -> Progress | None:
    """Of the pretraining run in `folder`: the last logged step, and the time that the others take at its speed."""
    state = _object(folder / "state.json")
    line = _last_step(folder / "metrics.jsonl")
    try:
        steps = int(state["steps"])
        step = int(line.get("step", state["step"]))
    except (KeyError, TypeError, ValueError):
        return None
    text = f"step {step:,} of {steps:,}"
    if isinstance(loss := line.get("loss"), float):
        text += f", loss {loss:.3f}"
    speed = line.get("seconds_per_step")
    left = (steps - step) * speed if isinstance(speed, float) else None
    return Progress(text, left, _modified(folder / "metrics.jsonl"))


def progress_of_sweep(config: Any) -> Progress:
    """Of the runs of a sweep, a `SweepConfig`."""
    runs = runs_of_sweep(config)
    text = f"{runs.finished:,} of {runs.total:,} runs"
    if runs.failed:
        text += f", {runs.failed:,} failed"
    left = None if runs.mean_seconds is None else runs.mean_seconds * (runs.missing - runs.failed)
    return Progress(text, left, is_of_one=True)


def runs_of_sweep(config: Any) -> SweepRuns:
    """What became of the runs of a sweep. A setting's further seeds count where it earned them, or may still."""
    from finetuning.errors import FinetuningError
    from finetuning.run.result import Result
    from finetuning.sweeps.attempts import gave_up
    from finetuning.sweeps.grid import plan_runs
    from finetuning.sweeps.stages import is_later_seed, kept_settings

    output = Path(config.output)
    runs = plan_runs(config)
    kept: dict[tuple[str, str], tuple[list[Any], list[Any]]] = {}
    total = finished = failed = 0
    seconds: list[float] = []
    for run in runs:
        if is_later_seed(run, config):
            place = (run.model_label, run.task_name)
            if place not in kept:
                kept[place] = kept_settings(run, runs, config)
            settings, unfinished = kept[place]
            if not unfinished and run.setting not in settings:
                continue
        total += 1
        if Result.exists(output / run.folder):
            finished += 1
            try:
                seconds.append(Result.read(output / run.folder).seconds)
            except FinetuningError:  # the report says so
                continue
        elif gave_up(output, run):
            failed += 1
    return SweepRuns(total, finished, failed, sum(seconds) / len(seconds) if seconds else None)


def _object(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _last_step(file: Path) -> dict[str, Any]:
    """The last line of a run's metrics that is about a step; of a file that may be large, and is being written."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    for text in reversed(lines):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and "seconds_per_step" in line:
            return line
    return {}


def _modified(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None
