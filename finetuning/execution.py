"""Runs of a sweep as child processes: each exactly once, however often the sweep itself is killed and started again.

A run is complete when its `result.json` is there. A run that is going on holds a lock that its process inherits, so a
sweep that is started again after `kill -9` finds the runs that outlived the first one, waits for them and takes their
results, and starts only what nobody runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from finetuning.capacity import Slot
from finetuning.errors import EXIT_USER_ERROR
from finetuning.grid import PlannedRun
from finetuning.result import Result, RunSpec

LOGS = "logs"
POLL_SECONDS = 0.2
GRACE_SECONDS = 10.0

State = Literal["present", "finished", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run. `present`: its result was there already, or another sweep finished it."""

    run: PlannedRun
    state: State
    attempts: int
    message: str = ""


@dataclass(slots=True)
class _Child:
    run: PlannedRun
    spec: RunSpec
    process: subprocess.Popen[bytes]
    lock: int
    slot: Slot
    attempt: int


@dataclass(slots=True)
class Executor:
    """Runs planned runs in the sweep folder `output`, at most one for each slot at a time."""

    output: Path
    slots: Sequence[Slot]
    retries: int
    command: Callable[[RunSpec], list[str]]
    report: Callable[[Outcome], None]
    _children: list[_Child] = field(default_factory=list)

    def execute(self, runs: Sequence[tuple[PlannedRun, RunSpec]]) -> list[Outcome]:
        """Blocks until every run is complete or failed for good. Children are ended when it is interrupted."""
        waiting = [(run, spec, 1) for run, spec in runs]
        free = list(self.slots)
        outcomes: list[Outcome] = []

        def settle(outcome: Outcome) -> None:
            outcomes.append(outcome)
            self.report(outcome)

        try:
            while waiting or self._children:
                held_elsewhere = []
                while waiting and free:
                    run, spec, attempt = waiting.pop(0)
                    if Result.exists(spec.output):
                        settle(Outcome(run, "present", attempt - 1))
                        continue
                    child = self._start(run, spec, attempt, free[-1])
                    if child is None:
                        held_elsewhere.append((run, spec, attempt))
                    elif child == "present":
                        settle(Outcome(run, "present", attempt - 1))
                    else:
                        self._children.append(child)
                        free.pop()
                waiting += held_elsewhere
                if self._children or held_elsewhere:
                    time.sleep(POLL_SECONDS)
                for child in [child for child in self._children if child.process.poll() is not None]:
                    self._children.remove(child)
                    free.append(child.slot)
                    outcome = self._judge(child)
                    os.close(child.lock)
                    if outcome is None:
                        waiting.insert(0, (child.run, child.spec, child.attempt + 1))
                    else:
                        settle(outcome)
        finally:
            self._end_children()
        return outcomes

    def _start(self, run: PlannedRun, spec: RunSpec, attempt: int, slot: Slot) -> _Child | Literal["present"] | None:
        logs = self.output / LOGS / run.folder
        logs.mkdir(parents=True, exist_ok=True)
        lock = os.open(logs / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        if Result.exists(spec.output):  # finished between the first look and the lock
            os.close(lock)
            return "present"
        command = self.command(spec)
        with (logs / "output.txt").open("ab") as log:
            process = self._spawn(command, log, lock, slot)
        _append_line(logs / "attempts.jsonl", {"command": command, "started": time.time(), "process": process.pid})
        return _Child(run, spec, process, lock, slot, attempt)

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
        if Result.exists(child.spec.output):
            return Outcome(child.run, "finished", child.attempt)
        code = child.process.returncode
        log = self.output / LOGS / child.run.folder / "output.txt"
        reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        message = f"{reason}: {_last_line(log)} ({log})"
        if code == EXIT_USER_ERROR or child.attempt > self.retries:
            return Outcome(child.run, "failed", child.attempt, message)
        return None

    def _end_children(self) -> None:
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            os.close(child.lock)
        self._children.clear()


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


def _append_line(path: Path, content: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
