"""What a sweep leaves of each attempt at a run: its lock, its attempts, its output, and the mark of a failure.

A mark says why, by one of `REASONS`: wrong input and too little memory stay as they are until somebody mends them.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from pathlib import Path
from typing import Any, Literal

from finetuning.atomic_file import write_json
from finetuning.errors import FinetuningError
from finetuning.run.result import RESULT_FILE, Result
from finetuning.sweeps.grid import PlannedRun

LOGS = "logs"
LOCK = "lock"
ATTEMPTS = "attempts.jsonl"
OUTPUT = "output.txt"
FAILED = "failed.json"
"""In a run's logs: it failed for good. Nothing waits for such a run; it goes when the run is started again."""
REPLACED = f"{RESULT_FILE}.replaced"
"""In a run's folder: its result, while the run is made again."""
HOST = socket.gethostname()
Reason = Literal["wrong input", "out of memory", "crashed", "left out"]
"""`left out`: what the run was to start from, or be chosen by, is not there."""


def slurm_job() -> str | None:
    """The job that this process is of, as Slurm's commands take it: `4711`, or `4711_3` for a task of an array."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def mark_failed(output: Path, run: PlannedRun, reason: Reason, attempts: int, message: str) -> None:
    """Leave the mark of a run that failed for good."""
    content = {"reason": reason, "attempts": attempts, "message": message, "host": HOST, "job": slurm_job()}
    logs = output / LOGS / run.folder
    logs.mkdir(parents=True, exist_ok=True)
    write_json(logs / FAILED, content)


def gave_up(output: Path, run: PlannedRun) -> bool:
    """Whether a run of the sweep in `output` failed for good and was not started again since."""
    return not Result.exists(output / run.folder) and (output / LOGS / run.folder / FAILED).is_file()


def set_aside(folder: Path) -> None:
    """The result of a run that is to be made again, under a name that counts for nothing until `put_back`."""
    if Result.exists(folder):
        (folder / RESULT_FILE).replace(folder / REPLACED)


def put_back(folder: Path) -> None:
    """What `set_aside` took, where no new result came."""
    if (folder / REPLACED).is_file() and not Result.exists(folder):
        (folder / REPLACED).replace(folder / RESULT_FILE)


def forget(folder: Path) -> None:
    """What `set_aside` took, when the new result is there."""
    (folder / REPLACED).unlink(missing_ok=True)


def failure(output: Path, run: PlannedRun) -> dict[str, Any]:
    """The mark of a run that failed for good (`mark_failed`); empty where there is none or it cannot be read."""
    try:
        mark = json.loads((output / LOGS / run.folder / FAILED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


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


def last_lines(log: Path, count: int = 1) -> list[str]:
    """What a run said last; none where it said nothing."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.strip().splitlines()[-count:]


def memory_kills(counters: Path = Path("/proc/vmstat")) -> int:
    """How many processes the kernel of this machine has killed since it started because memory ran out."""
    try:
        lines = counters.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
