"""Ending a process with everything that it started, in order: a launcher does not end its workers by itself."""

import contextlib
import signal

import psutil

SECONDS_TO_STOP = 30.0


def end_process_tree(pid: int, patience: float = SECONDS_TO_STOP, only_children: bool = False) -> None:
    """Ask `pid` and everything it started to stop; what is still there after `patience` seconds is killed."""
    try:
        root = psutil.Process(pid)
        tree = [*([] if only_children else [root]), *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in tree:
        _send(process, signal.SIGINT)
    _, alive = psutil.wait_procs(tree, timeout=patience)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5.0)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
