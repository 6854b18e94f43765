"""What a sweep leaves of each attempt at a run: its lock, its attempts, its output, and the mark of a failure."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.run.result import Result
from finetuning.sweeps.grid import PlannedRun

LOGS = "logs"
LOCK = "lock"
ATTEMPTS = "attempts.jsonl"
OUTPUT = "output.txt"
FAILED = "failed.json"
"""In a run's logs: it failed for good. Nothing waits for such a run; it goes when the run is started again."""
HOST = socket.gethostname()


def gave_up(output: Path, run: PlannedRun) -> bool:
    """Whether a run of the sweep in `output` failed for good and was not started again since."""
    return not Result.exists(output / run.folder) and (output / LOGS / run.folder / FAILED).is_file()


def take_lock(path: Path) -> int | None:
    """The open file of a lock that is now ours; None where another process holds it.

    Raises FinetuningError where the file system has no locks: a run could then be started twice.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError as error:
        os.close(lock)
        if error.errno in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
            raise FinetuningError(
                f"{path} cannot be locked ({error.strerror}): the file system has no locks; choose an --output on one "
                "that has them (flock)"
            ) from error
        raise
    return lock


def last_attempt(attempts: Path) -> dict[str, Any]:
    """The last line of a run's attempts: command, time, host, device; empty where there is none."""
    try:
        last = json.loads(attempts.read_text(encoding="utf-8").splitlines()[-1])
    except (FileNotFoundError, ValueError, IndexError):  # a machine that goes down may leave half a line
        return {}
    return last if isinstance(last, dict) else {}


def append_line(path: Path, content: dict[str, object]) -> None:
    """Add a JSON line that outlives a crash of the machine."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")
        file.flush()
        os.fsync(file.fileno())


def last_line(log: Path) -> str:
    """What a run said last."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
