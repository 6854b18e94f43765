"""A command's end is told apart: well, a mistake, an interruption, a signal; and signals reach it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pretraining.adaptation.child_process import ChildProcesses, environment
from pretraining.adaptation.commands import ROOT
from pretraining.errors import PretrainingError, RetryablePretrainingError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_that_ends_well(tmp_path: Path) -> None:
    with ChildProcesses() as children:
        children.run("it", python(f"open({str(tmp_path / 'file')!r}, 'w')"))
        assert (tmp_path / "file").exists()
        children.go_on()


@pytest.mark.parametrize(
    ("code", "error", "sentence"),
    [
        ("raise SystemExit(2)", PretrainingError, "the build ended with exit code 2; what it said stands above"),
        ("raise SystemExit(75)", RetryablePretrainingError, "the build was interrupted"),
        ("import os; os.kill(os.getpid(), 9)", PretrainingError, "the build was killed by signal 9"),
    ],
)
def test_a_command_that_fails(code: str, error: type[Exception], sentence: str) -> None:
    with ChildProcesses() as children, pytest.raises(PretrainingError, match=sentence) as raised:
        children.run("the build", python(code))
    assert type(raised.value) is error


ASKED = """
import os, signal, sys, time
def heard(number, frame):
    open({file!r}, "w").write(str(number))
    sys.exit(75)
signal.signal(signal.SIGTERM, heard)
os.kill(os.getppid(), signal.{name})
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_is_passed_on_and_waited_for(tmp_path: Path, name: str) -> None:
    before = signal.getsignal(signal.SIGINT)
    with ChildProcesses() as children:
        with pytest.raises(RetryablePretrainingError, match="stopped; the same command goes on"):
            children.run("it", python(ASKED.format(file=str(tmp_path / "heard"), name=name)))
        assert (tmp_path / "heard").read_text() == str(int(signal.SIGTERM))
        with pytest.raises(RetryablePretrainingError):  # and nothing more is started
            children.run("it", python(f"open({str(tmp_path / 'next')!r}, 'w')"))
    assert not (tmp_path / "next").exists()
    assert signal.getsignal(signal.SIGINT) is before


DEAF = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(os.getppid(), signal.SIGTERM)
time.sleep(0.2)
os.kill(os.getppid(), signal.SIGTERM)
time.sleep(60)
"""


def test_a_second_signal_kills() -> None:
    with ChildProcesses() as children, pytest.raises(RetryablePretrainingError):
        children.run("it", python(DEAF))


def test_a_command_finds_the_stages_from_everywhere(tmp_path: Path) -> None:
    given = {**os.environ, "PYTHONPATH": "somewhere"}
    assert environment(given)["PYTHONPATH"] == f"{ROOT}{os.pathsep}somewhere"
    assert environment({})["PYTHONPATH"] == str(ROOT)
    run = subprocess.run(
        python("import cluster.beam; print(cluster.beam.__file__)"),
        env=environment({**os.environ, "PYTHONPATH": ""}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == str(ROOT / "cluster" / "beam.py")
