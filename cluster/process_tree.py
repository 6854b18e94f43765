"""Ending a process with everything that it started, in order: a launcher does not end its workers by itself."""

import contextlib
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

SECONDS_TO_STOP = 30.0
_SECONDS_TO_DIE = 5.0
_LOOK_SECONDS = 0.05


def end_process_tree(pid: int, patience: float = SECONDS_TO_STOP, only_children: bool = False) -> None:
    """Ask `pid` and everything it started to stop; what is still there after `patience` seconds is killed."""
    try:
        root = psutil.Process(pid)
        tree = [*([] if only_children else [root]), *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        _send(process, _polite(process))
    left = _wait(tree, patience)
    for process in left:
        _send(process, signal.SIGKILL)
    _wait(left, _SECONDS_TO_DIE)


def _polite(process: psutil.Process) -> signal.Signals:
    """SIGINT, or SIGTERM where that is ignored: a shell without job control starts what is in the background so."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:  # it has ended, or the system has no such files
        return signal.SIGINT
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    return signal.SIGTERM if ignored >> (signal.SIGINT - 1) & 1 else signal.SIGINT


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run when all have ended, or the time is over.

    One that has ended and that nobody has buried is none of them: in a container the first process may never do it.
    """
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
