"""The launcher above a rank: found by its command, missed when it has ended."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pretraining.run.health.launcher import Launcher

ROOT = Path(__file__).parents[4]
RANK = (
    "import sys, time; sys.path[0:0] = ['.']; from pretraining.run.health.launcher import Launcher\n"
    "launcher = Launcher.find(); print(len(launcher.processes), launcher.is_gone(), flush=True)\n"
    "while not launcher.is_gone(): time.sleep(0.05)\n"
    "print('gone', flush=True)"
)
START = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]).wait()"


def test_without_one() -> None:
    assert Launcher(()).is_gone() is False
    assert Launcher.find().processes == ()


# The ids do not name them: pytest-xdist may put the test's into the command of the process that this one starts from.
@pytest.mark.parametrize("name", ["deepspeed", "torchrun"], ids=["first", "second"])
def test_one_that_is_killed(tmp_path: Path, name: str) -> None:
    script = tmp_path / name
    script.write_text(START)
    with subprocess.Popen([sys.executable, str(script), RANK], cwd=ROOT, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        first = launcher.stdout.readline()
        time.sleep(0.3)
        launcher.kill()  # before anything is asserted: the block's end waits for it
        assert (first, launcher.stdout.readline()) == ("1 False\n", "gone\n")
