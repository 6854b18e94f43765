"""The demo as a command: what asks it to end, ends what it runs."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_and_what_it_runs(tmp_path: Path, number: signal.Signals) -> None:
    child = f"import os, time; open(r'{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(60)"
    program = (
        "import sys; from pathlib import Path; from cluster.demo import road; from cluster.demo.chain import Stage\n"
        f"road.stages = lambda output, *_: [Stage('long', 'long', (sys.executable, '-c', {child!r}), (), ())]\n"
        f"sys.exit(road.main(['--output', r'{tmp_path}']))"
    )
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
    assert process.returncode == 130
    assert "run the same command again" in said
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
