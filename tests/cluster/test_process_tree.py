"""A process and what it started are asked to end, by a signal that reaches them, and killed where they do not."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cluster.process_tree import end_process_tree

# Says which signal ended it; its child says the same.
TREE = """
import os, signal, sys, time
def end(number, frame):
    open(f"{sys.argv[1]}/{os.getpid()}", "w").write(signal.Signals(number).name)
    os._exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, end)
seen, said = os.pipe()
child = os.fork()
if child:
    os.read(seen, 1)  # Python forgets a signal that reaches a child while it is forked
    print(os.getpid(), child, flush=True)
else:
    os.write(said, b"1")
while True:
    time.sleep(0.05)  # a signal between two calls of Python must not wait for long
"""


def start(folder: Path, before: str) -> tuple["subprocess.Popen[str]", list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", f"import signal; {before}{TREE}", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, [int(word) for word in process.stdout.readline().split()]


def runs(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("signal.signal(signal.SIGINT, signal.default_int_handler)", "SIGINT"),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN)", "SIGTERM"),
    ],
)
def test_all_are_asked(tmp_path: Path, before: str, said: str) -> None:
    """As a script's `command &` starts them, they ignore SIGINT."""
    process, numbers = start(tmp_path, before)
    end_process_tree(process.pid, patience=60)
    assert process.wait() == 0
    assert {int(file.name): file.read_text() for file in tmp_path.iterdir()} == dict.fromkeys(numbers, said)
    assert not any(map(runs, numbers))


def test_who_does_not_end_is_killed(tmp_path: Path) -> None:
    ignore = "[signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)]"
    process, numbers = start(tmp_path, ignore)
    end_process_tree(process.pid, patience=0.1)
    assert process.wait() == -signal.SIGKILL
    assert not any(map(runs, numbers))


def test_children_alone(tmp_path: Path) -> None:
    """The child stays a zombie: its parent does not bury it, and nobody waits for that."""
    process, (parent, child) = start(tmp_path, "signal.signal(signal.SIGINT, signal.default_int_handler)")
    end_process_tree(parent, patience=60, only_children=True)
    assert [file.name for file in tmp_path.iterdir()] == [str(child)]
    assert process.poll() is None
    end_process_tree(parent, patience=60)
    process.wait()


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    end_process_tree(process.pid)
