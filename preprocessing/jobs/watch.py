"""The driver's look at a running build: how far it is, and that it lives.

A runner's `run` blocks, and few runners tell how far they are. But what is complete lies in the folder, on every
engine, so that is counted.
"""

import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from preprocessing.storage import Location

LINE_SECONDS = 60.0  # between two lines where there is no terminal
_TERMINAL_SECONDS = 1.0
_BUSY_SHARE = 0.02  # of the time, at most, goes into counting: a folder may hold tens of thousands of files


@dataclass(frozen=True)
class Phase:
    """One step of a job: `name`, and for each of its pieces of work its key and bytes; the file of a finished one."""

    name: str
    bytes_of: Mapping[str, int]
    done: "re.Pattern[str]"
    """Matches the name of the file that a finished piece of work leaves; its first group is the key."""

    @property
    def bytes(self) -> int:
        return sum(self.bytes_of.values())


@dataclass
class BuildWatch:
    """Counts what is complete while a runner runs; a context manager. Phases follow one another."""

    folder: Location
    phases: tuple[Phase, ...]
    stream: IO[str] = field(default_factory=lambda: sys.stderr)

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._begun = {phase.name: (time.monotonic(), self._done(phase)) for phase in self.phases[:1]}
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._on_terminal():
            self.stream.write("\r\033[K")

    def line(self) -> str:
        """How far the build is: pieces of work, bytes, speed of this run and what is left at that speed."""
        phase, done = self._current()
        now = time.monotonic()
        if phase.name not in self._begun:
            self._begun[phase.name] = (now, done)
        since, before = self._begun[phase.name]
        complete = sum(phase.bytes_of[key] for key in done)
        here = complete - sum(phase.bytes_of[key] for key in before)
        text = f"{phase.name}: {len(done):,} of {len(phase.bytes_of):,}, "
        text += f"{complete / 1e6:,.0f} of {phase.bytes / 1e6:,.0f} MB"
        if here and now > since:
            speed = here / (now - since)
            text += f", {speed / 1e6:.1f} MB/s, {_duration((phase.bytes - complete) / speed)} left"
        return text

    def _run(self) -> None:
        period = _TERMINAL_SECONDS if self._on_terminal() else LINE_SECONDS
        next_line = time.monotonic() + period
        while not self._ended.wait(min(period, 1.0)):
            if time.monotonic() < next_line:
                continue
            begun = time.monotonic()
            try:
                text = self.line()
            except OSError:
                continue  # of a file server: the next look may see more
            taken = time.monotonic() - begun
            next_line = time.monotonic() + max(period, taken / _BUSY_SHARE)
            self.stream.write(f"\r\033[K{text}" if self._on_terminal() else f"{text}\n")
            self.stream.flush()

    def _current(self) -> tuple[Phase, set[str]]:
        """The first phase that is not complete, or the last one."""
        for phase in self.phases:
            done = self._done(phase)
            if len(done) < len(phase.bytes_of):
                break
        return phase, done

    def _done(self, phase: Phase) -> set[str]:
        try:
            names = [entry.name for entry in self.folder.iterdir()]
        except FileNotFoundError:
            return set()
        found = map(phase.done.fullmatch, names)
        return {match[1] for match in found if match and match[1] in phase.bytes_of}

    def _on_terminal(self) -> bool:
        return self.stream.isatty()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
