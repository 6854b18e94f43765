"""Mutants of a small project, each met by real tests in a real fork."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.asking import Asking, FailingTestsError

SOURCE = "import subprocess\n\n\ndef add(a, b):\n    return a + b\n"
TESTS = """
import subprocess, sys
import pytest
from project.sums import add

def test_nothing():
    add(1, 1)

@pytest.mark.xfail
def test_known():
    assert add(1, 1) == 3

def test_skipped():
    pytest.skip("no")

def test_here():
    assert add(2, 2) == 4

def test_in_another_process():
    word = subprocess.check_output([sys.executable, "-c", "from project.sums import add; print(add(3, 0))"])
    assert word == b"3\\n"
"""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    root = tmp_path_factory.mktemp("repository")
    for name, text in {
        "project/__init__.py": "",
        "project/sums.py": SOURCE,
        "tests/test_sums.py": TESTS,
        "tests/test_here.py": "from project.sums import add\n\ndef test_here():\n    assert add(2, 2) == 4\n",
        "tests/test_wrong.py": "def test_wrong():\n    assert not 'right'\n",
        "pyproject.toml": "[tool.pytest.ini_options]\nmarkers = ['slow', 'large', 'gpu']\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    with Asking(root, tmp_path_factory.mktemp("folder")) as asking:
        asking.about_the_original("project/sums.py", ("tests/test_sums.py",))
        yield asking
    assert (root / "project/sums.py").read_text(encoding="utf-8") == SOURCE


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("return b + a", ("",)),
        ("return a * b", ("test_sums.py::test_in_another_process",)),
        ("return a - b", ("test_sums.py::test_here",)),
        ("return None + b", ("test_sums.py::test_nothing", "test_sums.py::test_in_another_process")),
        ("raise SystemExit(0)", ("test_sums.py::test_nothing", "test_sums.py::test_in_another_process")),
        ("return a +", ("test_sums.py",)),
    ],
)
def test_what_becomes_of_a_mutant(line: str, by: tuple[str, ...], asking: Asking) -> None:
    """Which of several tests fails first depends on which killed others before."""
    outcome = asking.about("project/sums.py", SOURCE.replace("return a + b", line), ("tests/test_sums.py",))
    assert outcome.killed == (by != ("",))
    assert outcome.by.removeprefix("tests/") in by
    assert (asking.shadow.root / "project/sums.py").read_text(encoding="utf-8") == SOURCE


@pytest.mark.parametrize("line", ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 11)"])
def test_a_mutant_that_ends_its_process_is_killed(line: str, asking: Asking) -> None:
    outcome = asking.about("project/sums.py", SOURCE.replace("return a + b", line), ("tests/test_here.py",))
    assert (outcome.killed, outcome.by) == (True, "crash")


def test_a_mutant_that_never_ends_is_killed_by_its_time_limit(asking: Asking) -> None:
    asking._limits["project/sums.py"] = 1.0
    endless = SOURCE.replace("return a + b", "import time; time.sleep(600)")
    outcome = asking.about("project/sums.py", endless, ("tests/test_sums.py",))
    assert (outcome.killed, outcome.by) == (True, "time limit")


@pytest.mark.parametrize("tests", [("tests/test_wrong.py",), ("tests/test_gone.py",)])
def test_tests_that_fail_by_themselves_say_nothing(tests: tuple[str, ...], asking: Asking) -> None:
    with pytest.raises(FailingTestsError, match="fail without a mutant"):
        asking.about_the_original("project/sums.py", tests)


def test_no_mutant_outlives_whoever_asked(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    endless = "import os, time\n\n\ndef test_endless():\n    open('../pid', 'w').write(str(os.getpid()))\n"
    endless += "    time.sleep(600)\n"
    for name, text in (("project/sums.py", SOURCE), ("tests/test_endless.py", endless)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    with Asking(root, tmp_path / "folder") as asking:
        question = {"files": ["tests/test_endless.py"], "first": [], "left_out": [], "interpreted": False}
        question |= {"seconds": 600, "scratch": str(asking.shadow.scratch), "writes": False, "imports": []}
        assert asking._process.stdin is not None
        print(json.dumps(question), file=asking._process.stdin, flush=True)
        written = tmp_path / "folder/pid"
        while not (written.is_file() and written.read_text()):
            time.sleep(0.02)
        process = int(written.read_text())
    while Path(f"/proc/{process}").exists() and "Z" not in Path(f"/proc/{process}/stat").read_text().split()[2]:
        time.sleep(0.02)  # the time limit of pytest ends a test that fails
