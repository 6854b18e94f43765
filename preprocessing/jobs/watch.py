"""The driver's look at a running build: how far it is, and that it lives.

A runner's `run` blocks, and few runners tell how far they are. But what is complete lies in the folder, on every
engine, so that is counted. It is said on stderr, and written down for other programs:

    {"phase": "extract", "done": 3, "total": 12, "unit": "splits", "seconds_left": 41.0, "updated": 1765432100.0}

in `progress.json`, until the job is complete. `seconds_left` is to the end of the phase, at the speed of this run, null
where nobody knows yet; `updated` is Unix time.
"""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from preprocessing.owned_folder import remove_own
from preprocessing.storage import Location, RemotePath

PROGRESS_NAME = "progress.json"
PROGRESS_VARIABLE = "PREPROCESSING_PROGRESS_FILE"
"""Environment variable: a local file that gets the same text, for who started the job and does not know its output."""
LINE_SECONDS = 60.0  # between two lines where there is no terminal, and two writings where the output is remote
_LOOK_SECONDS = 5.0
_TERMINAL_SECONDS = 1.0
_BUSY_SHARE = 0.02  # of the time, at most, goes into counting: a folder may hold tens of thousands of files


@dataclass(frozen=True)
class Phase:
    """One step of a job: `name`, and for each of its pieces of work its key and bytes; the file of a finished one."""

    name: str
    bytes_of: Mapping[str, int]
    done: "re.Pattern[str]"
    """Matches the name of the file that a finished piece of work leaves; its first group is the key."""
    unit: str
    """What the pieces are called."""

    @property
    def bytes(self) -> int:
        return sum(self.bytes_of.values())


@dataclass(frozen=True)
class Look:
    """How far a phase was at one look; sizes in bytes, `speed` in bytes/s of this run, None where it is not known."""

    phase: Phase
    done: int
    complete: int
    speed: float | None

    @property
    def seconds_left(self) -> float | None:
        return (self.phase.bytes - self.complete) / self.speed if self.speed else None

    def line(self) -> str:
        """For people: pieces of work, bytes, speed of this run and what is left at that speed."""
        text = f"{self.phase.name}: {self.done:,} of {len(self.phase.bytes_of):,}, "
        text += f"{self.complete / 1e6:,.0f} of {self.phase.bytes / 1e6:,.0f} MB"
        if self.speed and self.seconds_left is not None:
            text += f", {self.speed / 1e6:.1f} MB/s, {_duration(self.seconds_left)} left"
        return text

    def record(self) -> str:
        """For programs: JSON in one line."""
        left = self.seconds_left
        fields = {
            "phase": self.phase.name,
            "done": self.done,
            "total": len(self.phase.bytes_of),
            "unit": self.phase.unit,
            "seconds_left": None if left is None else round(left, 1),
            "updated": round(time.time(), 1),
        }
        return json.dumps(fields) + "\n"


@dataclass
class BuildWatch:
    """Counts what is complete while a runner runs; a context manager. Phases follow one another.

    `output` is the folder that gets `progress.json`, `folder` the one in which complete pieces of work lie.
    """

    output: Location
    folder: Location
    phases: tuple[Phase, ...]
    stream: IO[str] = field(default_factory=lambda: sys.stderr)

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._begun = {phase.name: (time.monotonic(), self._done(phase)) for phase in self.phases[:1]}
        remove_own(self.output, re.escape(PROGRESS_NAME), temporary_only=True)
        self._write(self.look())
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(OSError):
            self._write(self.look())
        if self._on_terminal():
            self.stream.write("\r\033[K")

    def look(self) -> Look:
        """How far the build is now."""
        phase, done = self._current()
        now = time.monotonic()
        if phase.name not in self._begun:
            self._begun[phase.name] = (now, done)
        since, before = self._begun[phase.name]
        complete = sum(phase.bytes_of[key] for key in done)
        here = complete - sum(phase.bytes_of[key] for key in before)
        return Look(phase, len(done), complete, here / (now - since) if here and now > since else None)

    def _run(self) -> None:
        terminal = self._on_terminal()
        say_every = _TERMINAL_SECONDS if terminal else LINE_SECONDS
        write_every = LINE_SECONDS if isinstance(self.output, RemotePath) else _LOOK_SECONDS
        next_line = time.monotonic() + say_every
        next_writing = time.monotonic() + write_every
        while not self._ended.wait(max(0.0, min(next_line, next_writing) - time.monotonic())):
            begun = time.monotonic()
            try:
                look = self.look()
            except OSError:
                look = None  # of a file server: the next look may see more
            now = time.monotonic()
            rest = (now - begun) / _BUSY_SHARE
            if look is not None and now >= next_writing:
                self._write(look)
            if look is not None and now >= next_line:
                self.stream.write(f"\r\033[K{look.line()}" if terminal else f"{look.line()}\n")
                self.stream.flush()
            if now >= next_writing:
                next_writing = now + max(write_every, rest)
            if now >= next_line:
                next_line = now + max(say_every, rest)

    def _write(self, look: Look) -> None:
        """A full disk, or a file server that does not answer, is the build's affair, and not that of who looks on."""
        text = look.record()
        with suppress(PreprocessingError):
            write_text(self.output / PROGRESS_NAME, text)
        if PROGRESS_VARIABLE in os.environ:
            with suppress(PreprocessingError):
                write_text(Path(os.environ[PROGRESS_VARIABLE]), text)

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


def forget_progress(output: Location) -> None:
    """Removes `progress.json` from what is complete: there nothing depends on when it was made."""
    with suppress(OSError):
        (output / PROGRESS_NAME).unlink(missing_ok=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
