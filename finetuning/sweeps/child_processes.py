"""Runs of a sweep as child processes: each exactly once, however often the sweep itself is killed and started again.

A run is complete when its `result.json` is there. A run that is going on holds a lock that its process inherits, so a
sweep that is started again after `kill -9` finds the runs that outlived the first one, waits for them and takes their
results, and starts only what nobody runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import IO, Literal

from finetuning.errors import EXIT_MEMORY, EXIT_RETRY, EXIT_USER_ERROR
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from finetuning.sweeps.attempts import (
    ATTEMPTS,
    FAILED,
    HOST,
    LOCK,
    LOGS,
    OUTPUT,
    Reason,
    append_line,
    forget,
    last_attempt,
    last_lines,
    mark_failed,
    memory_kills,
    put_back,
    set_aside,
    slurm_job,
    take_lock,
)
from finetuning.sweeps.capacity import Slot
from finetuning.sweeps.grid import PlannedRun

POLL_SECONDS = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
GRACE_SECONDS = 60.0
"""That a run gets to save its training when the sweep is ended."""

State = Literal["present", "finished", "failed", "postponed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run.

    `present`: its result was there already, or another sweep finished it. `postponed`: nothing is wrong with it, and
    the same sweep again can finish it.
    """

    run: PlannedRun
    state: State
    attempts: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Due:
    run: PlannedRun
    spec: RunSpec
    attempt: int


@dataclass(slots=True)
class _Child:
    due: _Due
    began: float
    process: subprocess.Popen[bytes]
    lock: int
    slot: Slot
    memory_kills: int
    """Of the machine, before it began."""


@dataclass(slots=True)
class Executor:
    """Runs planned runs in the sweep folder `output`, at most one for each slot at a time.

    A run that outlived an earlier sweep on this machine takes a slot too: it still uses the device.
    """

    output: Path
    slots: Sequence[Slot]
    retries: int
    command: Callable[[RunSpec], list[str]]
    report: Callable[[Outcome], None]
    watch: Callable[[Mapping[PlannedRun, float]], None] = lambda running: None
    """Called all the time, with the seconds since each run began."""
    stands: Callable[[PlannedRun, RunSpec], bool] = lambda run, spec: Result.exists(spec.output)
    """Whether a run's result is there and is enough."""
    _waiting: list[_Due] = field(default_factory=list)
    _children: list[_Child] = field(default_factory=list)
    _elsewhere: list[_Due] = field(default_factory=list)
    """Runs whose lock another process holds."""
    _outcomes: list[Outcome] = field(default_factory=list)

    def execute(self, runs: Sequence[tuple[PlannedRun, RunSpec]]) -> list[Outcome]:
        """Blocks until every run is complete or failed for good. Children are ended when it is interrupted."""
        self._waiting = [_Due(run, spec, 1) for run, spec in runs]
        self._outcomes = []
        self._elsewhere = []
        with noted_signals() as signals:  # no exception between the start of a process and its place in the list
            try:
                self._find_elsewhere()
                while (self._waiting or self._children or self._elsewhere) and not signals.asked.is_set():
                    self._fill_slots()
                    if self._children or self._elsewhere:
                        signals.asked.wait(POLL_SECONDS)
                    self._look_elsewhere()
                    self._reap()
                    self.watch(self._running())
            finally:
                self._end_children(signals.at_once)
            if signals.asked.is_set():
                raise KeyboardInterrupt
        return self._outcomes

    def _settle(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self.report(outcome)

    def _find_elsewhere(self) -> None:
        """Before anything is started: who comes later in the table may already hold a device."""
        for due in list(self._waiting):
            # No attempt, no lock: a new sweep makes no files for runs that are far from their turn.
            if (self._logs(due) / LOCK).exists() and not self.stands(due.run, due.spec) and self._is_held(due):
                self._waiting.remove(due)
                self._elsewhere.append(due)
                self._say_who_runs(due)

    def _look_elsewhere(self) -> None:
        for due in list(self._elsewhere):
            if not self._is_held(due):  # finished, or to be started again
                self._elsewhere.remove(due)
                self._waiting.insert(0, due)

    def _fill_slots(self) -> None:
        free = self._free_slots()
        while self._waiting and free:
            due = self._waiting.pop(0)
            if self.stands(due.run, due.spec):
                self._settle(Outcome(due.run, "present", due.attempt - 1))
                continue
            child = self._start(due, free[0])
            if child is None:
                self._elsewhere.append(due)
                self._say_who_runs(due)
                free = self._free_slots()
            elif child == "present":
                self._settle(Outcome(due.run, "present", due.attempt - 1))
            else:
                self._children.append(child)
                free.pop(0)

    def _say_who_runs(self, due: _Due) -> None:
        last = last_attempt(self._logs(due) / ATTEMPTS)
        where = (
            f"job {last['job']} on {last.get('host')}" if last.get("job") else str(last.get("host", "an unknown host"))
        )
        print(f"{due.run.folder}: another process runs it ({where}); waiting for its result", file=sys.stderr)

    def _free_slots(self) -> list[Slot]:
        free = list(self.slots)
        for child in self._children:
            free.remove(child.slot)
        for due in self._elsewhere:
            if slot := _slot_taken(free, self._logs(due) / ATTEMPTS):
                free.remove(slot)
        return free

    def _reap(self) -> None:
        for child in [child for child in self._children if child.process.poll() is not None]:
            self._children.remove(child)
            outcome = self._judge(child)
            os.close(child.lock)
            if outcome is None:
                self._waiting.insert(0, replace(child.due, attempt=child.due.attempt + 1))
            else:
                self._settle(outcome)

    def _running(self) -> dict[PlannedRun, float]:
        now = time.monotonic()
        return {child.due.run: now - child.began for child in self._children}

    def _logs(self, due: _Due) -> Path:
        return self.output / LOGS / due.run.folder

    def _is_held(self, due: _Due) -> bool:
        lock = take_lock(self._logs(due) / LOCK)
        if lock is not None:
            os.close(lock)
        return lock is None

    def _start(self, due: _Due, slot: Slot) -> _Child | Literal["present"] | None:
        logs = self._logs(due)
        logs.mkdir(parents=True, exist_ok=True)
        lock = take_lock(logs / LOCK)
        if lock is None:
            return None
        try:
            if self.stands(due.run, due.spec):  # finished between the first look and the lock
                os.close(lock)
                return "present"
            set_aside(due.spec.output)
            (logs / FAILED).unlink(missing_ok=True)
            command = self.command(due.spec)
            # Before the process: where the disk is full, nothing may be running that nobody watches.
            attempt = {"command": command, "started": time.time(), "host": HOST, "device": slot.device}
            append_line(logs / ATTEMPTS, attempt | {"job": slurm_job()})
            kills = memory_kills()
            with (logs / OUTPUT).open("ab") as log:
                process = self._spawn(command, log, lock, slot)
        except OSError:
            put_back(due.spec.output)
            os.close(lock)
            raise
        return _Child(due, time.monotonic(), process, lock, slot, kills)

    def _spawn(self, command: list[str], log: IO[bytes], lock: int, slot: Slot) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **slot.environment},
            pass_fds=(lock,),  # the run keeps the lock when the sweep dies
        )

    def _judge(self, child: _Child) -> Outcome | None:
        """The outcome of an ended process, or None to start it again."""
        due, log = child.due, self._logs(child.due) / OUTPUT
        if Result.exists(due.spec.output):
            forget(due.spec.output)
            return Outcome(due.run, "finished", due.attempt)
        put_back(due.spec.output)
        code = child.process.returncode
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        message = f"{ended}: {(last_lines(log) or ['no output'])[0]} ({log})"
        if code == EXIT_RETRY:
            # Not at once: a disk is full, or a server away, for longer than a moment.
            return Outcome(due.run, "postponed", due.attempt, message)
        reason: Reason = "crashed"
        if code == EXIT_USER_ERROR:
            reason = "wrong input"
        elif code == EXIT_MEMORY:
            reason = "out of memory"
        elif code == -signal.SIGKILL and memory_kills() > child.memory_kills:
            reason = "out of memory"
            message = f"killed while the kernel of {HOST} ended processes for want of memory; {message}"
        if reason == "crashed" and due.attempt <= self.retries:
            return None
        mark_failed(self.output, due.run, reason, due.attempt, message)
        return Outcome(due.run, "failed", due.attempt, f"{reason}: {message}")

    def _end_children(self, at_once: threading.Event) -> None:
        if not self._children:
            return
        for child in self._children:
            child.process.terminate()
        print(
            f"ending {len(self._children)} runs, which save their training: up to {GRACE_SECONDS:.0f} s; "
            "Ctrl-C again ends them at once",
            file=sys.stderr,
        )
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.process.poll() is None for child in self._children):
            if at_once.is_set() or time.monotonic() > deadline:
                for child in self._children:
                    child.process.kill()
                    child.process.wait()
            else:
                at_once.wait(POLL_SECONDS)
        for child in self._children:
            put_back(child.due.spec.output)
            os.close(child.lock)
        self._children.clear()


@dataclass(frozen=True, slots=True)
class NotedSignals:
    """Signals that came. `asked`: to end. `at_once`: Ctrl-C, when that had been asked for already.

    Slurm and whoever stops a sweep send several signals and mean one end; a second Ctrl-C is a person's.
    """

    asked: threading.Event
    at_once: threading.Event

    def take(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        if self.asked.is_set() and number == signal.SIGINT:
            self.at_once.set()
        self.asked.set()


@contextmanager
def noted_signals() -> Iterator[NotedSignals]:
    """In the block signals that ask this process to end are noted, and raise nothing."""
    signals = NotedSignals(threading.Event(), threading.Event())
    if threading.current_thread() is not threading.main_thread():  # another one may not set handlers
        yield signals
        return
    before = {number: signal.signal(number, signals.take) for number in SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_command(spec: RunSpec) -> list[str]:
    """The command line of one run, as a user would type it: only what differs from the defaults."""
    command = [sys.executable, "-m", "finetuning.main"]
    for name, value in spec.model_dump(mode="json", exclude_defaults=True).items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            command.append(flag if value else "--no-" + name.replace("_", "-"))
        else:
            command += [flag, str(value)]
    return command


def _slot_taken(free: Sequence[Slot], attempts: Path) -> Slot | None:
    """The free slot that a run of another process takes, as the last line of its attempts tells; None: none of ours.

    An attempt that does not tell (it has just begun) takes any.
    """
    last = last_attempt(attempts)
    if last.get("host", HOST) != HOST:
        return None
    device = last.get("device")
    return next((slot for slot in free if device is None or slot.device == device), None)
