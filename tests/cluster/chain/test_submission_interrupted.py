"""Whoever submits is killed, at every point: the same command again, and each stage is in the queue once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from cluster.chain import slurm
from cluster.chain.record import Record
from tests.cluster.chain.conftest import FINETUNE, RUN, MadeUp

ALL = ["preprocess", "verify", "phase1", "phase2"]


def in_queue(made_up: MadeUp) -> Counter[str]:
    """How often each stage's job is there, by its name without the chain's."""
    fields = [line.split("|") for line in (made_up.folder / "jobs").read_text().splitlines()]
    return Counter(name.rpartition("-")[0] for _, state, _, _, _, name in fields if state == "PENDING")


class Killer:
    """Ends the process, as Ctrl-C does, at the n-th of the points before and after whatever has an effect."""

    def __init__(self) -> None:
        self.left = -1

    def point(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def hurt(*arguments: Any) -> Any:
            self.point()
            result = effect(*arguments)
            self.point()
            return result

        return hurt


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    made = Killer()
    for owner, name in ((slurm, "_run"), (Record, "write")):
        monkeypatch.setattr(owner, name, made.around(getattr(owner, name)))
    return made


def test_killed_anywhere_each_stage_is_submitted_once(made_up: MadeUp, killer: Killer) -> None:
    made_up.write(RUN.partition("[phase1]")[0])
    for point in range(1, 100):
        killer.left = point
        ended = made_up.submit()
        killer.left = -1
        if ended == 0:
            break
        assert ended == 130
        assert made_up.submit() == 0
        assert in_queue(made_up) == Counter(ALL[:2]), f"killed at point {point}"
        shutil.rmtree(made_up.output)
        (made_up.folder / "jobs").write_text("")
    assert 20 < point < 99


def test_killed_between_two_arrays_the_sweep_is_submitted_as_a_whole(made_up: MadeUp, killer: Killer) -> None:
    """And the report waits for all of it."""
    made_up.write(RUN + FINETUNE + "array_size = 1\n")
    killing, submit = killer.around(lambda: None), slurm.submit

    def hurt(words: list[str], variables: dict[str, str]) -> str:
        if any("--job-name=finetune.1-" in word for word in words):
            killer.left = 1
            killing()
        return submit(words, variables)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slurm, "submit", hurt)
        assert made_up.submit() == 130
    assert in_queue(made_up) == Counter([*ALL, "finetune"])
    assert made_up.submit() == 0
    assert in_queue(made_up) == Counter([*ALL, "finetune", "finetune.1", "report"])
    assert "afterok:4,afterany:6:7" in made_up.calls()[-1]


def test_an_sbatch_that_outlives_its_submission_is_waited_for(made_up: MadeUp) -> None:
    """What it submits nobody sees before."""
    sbatch = made_up.folder / "bin" / "sbatch"
    text = sbatch.read_text()
    sbatch.write_text(
        text.replace("for word in", '[[ "$*" == *--job-name=verify* ]] && { touch late; sleep 4; }\nfor word in')
    )
    command = [sys.executable, "-m", "cluster.submit", str(made_up.file)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (made_up.folder / "late").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    sbatch.write_text(text)
    assert in_queue(made_up) == Counter(ALL[:1])
    assert made_up.submit() == 0
    assert in_queue(made_up) == Counter(ALL)
