"""A program that is asked to end while a stage runs."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

Interrupt = Callable[[str, signal.Signals], tuple[int, str]]


@pytest.fixture
def interrupt(tmp_path: Path) -> Interrupt:
    """Runs a program, sends it the signal once a process of it has written its number to `tmp_path / "pid"`.

    Returns its exit code and what it said on stderr, once that process is gone too.
    """

    def run(program: str, number: signal.Signals) -> tuple[int, str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
        return process.returncode, said

    return run
