"""The driver's look at a running build: how far it is, and that it lives.

A runner's `run` blocks, and few runners tell how far they are. But what is complete lies in the folder, on every
engine, so that is counted. It is said as `Progress` says it, and written down for other programs:

    {"phase": "extract", "done": 3, "total": 12, "unit": "splits", "seconds_left": 41.0, "updated": 1765432100.0}

in `progress.json`, until the job is complete. `seconds_left` is to the end of the phase, at the speed of this run, null
where nobody knows yet; `updated` is Unix time.
"""

import json
import os
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from preprocessing.owned_folder import remove_own
from preprocessing.progress import BYTES, LINE_SECONDS, SILENT, Progress, amount, described
from preprocessing.storage import Location, RemotePath

PROGRESS_NAME = "progress.json"
PROGRESS_VARIABLE = "PREPROCESSING_PROGRESS_FILE"
"""Environment variable: a local file that gets the same text, for who started the job and does not know its output."""
_LOOK_SECONDS = 5.0
_REMOTE_LOOK_SECONDS = LINE_SECONDS  # a look lists a folder: there that is a request, or many
_TERMINAL_LOOK_SECONDS = 1.0
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
    """How far a phase was at one look; sizes in bytes, `speed` in bytes/s of this run, None where it is not known.

    `seconds` are since the phase began, in this run.
    """

    phase: Phase
    done: int
    complete: int
    speed: float | None
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        return (self.phase.bytes - self.complete) / self.speed if self.speed else None

    def line(self) -> str:
        """For people: pieces of work, bytes, speed of this run and what is left at that speed."""
        pieces = amount(self.done, len(self.phase.bytes_of), self.phase.unit)
        amounts = f"{pieces}, {amount(self.complete, self.phase.bytes, BYTES)}"
        return described(self.phase.name, amounts, self.speed or 0.0, self.seconds_left, BYTES, self.seconds)

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
    progress: Progress = SILENT

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._begun = {phase.name: (time.monotonic(), self._done(phase)) for phase in self.phases[:1]}
        remove_own(self.output, re.escape(PROGRESS_NAME), temporary_only=True)
        self._last = self.look()
        self._write(self._last)
        self._line = self.progress.line(lambda: self._last.line())
        self._line.__enter__()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(OSError):
            self._last = self.look()
            self._write(self._last)
        self._line.__exit__(kind, failure, trace)

    def look(self) -> Look:
        """How far the build is now."""
        phase, done = self._current()
        now = time.monotonic()
        if phase.name not in self._begun:
            self._begun[phase.name] = (now, done)
        since, before = self._begun[phase.name]
        complete = sum(phase.bytes_of[key] for key in done)
        here = complete - sum(phase.bytes_of[key] for key in before)
        speed = here / (now - since) if here and now > since else None
        return Look(phase, len(done), complete, speed, now - since)

    def _run(self) -> None:
        write_every = _REMOTE_LOOK_SECONDS if isinstance(self.output, RemotePath) else _LOOK_SECONDS
        look_every = min(write_every, _TERMINAL_LOOK_SECONDS) if self.progress.in_place else write_every
        next_writing = time.monotonic() + write_every
        pause = look_every
        while not self._ended.wait(pause):
            begun = time.monotonic()
            with suppress(OSError):  # of a file server: the next look may see more
                self._last = self.look()
                if begun >= next_writing - look_every / 2:  # a look may come a little early
                    self._write(self._last)
                    next_writing = begun + write_every
            pause = max(look_every, (time.monotonic() - begun) / _BUSY_SHARE)

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


def forget_progress(output: Location) -> None:
    """Removes `progress.json` from what is complete: there nothing depends on when it was made."""
    with suppress(OSError):
        (output / PROGRESS_NAME).unlink(missing_ok=True)
