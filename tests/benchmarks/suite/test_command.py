"""`python -m benchmarks`: rounds within the time, failures, and where results go."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks.suite import execution
from benchmarks.suite.cases import Case, Ratio
from benchmarks.suite.execution import Round

FAST = Case("fast", "a fast one", ratios=(Ratio("speed", "peer", "over.peer"),))
WORDY = Case("wordy", "prints text", quick=("--few",))
BROKEN = Case("broken", "fails")
NEEDY = Case("needy", "needs something", ("{}",), (), "data")


class Machine:
    """Stands in for running: a clock, and a log of what was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[tuple[str, ...]] = []
        self.limits: list[float] = []

    def execute(self, words: Sequence[str], environment: Any, limit: float) -> Round:
        self.log.append(tuple(words[1:]))
        self.limits.append(limit)
        self.now += 60.0
        count = len(self.log)
        if words[1] == "benchmarks.broken":
            return Round(60.0, 1.0, 1_000_000, None, "", "exit code 2: it broke")
        if words[1] == "benchmarks.wordy":
            return Round(60.0, 1.0, 1_000_000, None, "some | text\n")
        return Round(60.0, 50.0, 2_000_000, {"over": {"peer": float(count)}, "rate": 1234.5678}, "{}")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execution, "execute", made.execute)
    monkeypatch.setattr(command, "CASES", (FAST, WORDY, BROKEN, NEEDY))
    monkeypatch.setattr(command, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(command.time, "monotonic", lambda: made.now)
    return made


def names(machine: Machine) -> list[str]:
    return [words[0].removeprefix("benchmarks.") for words in machine.log]


def test_all_once_and_then_again_while_time_lasts(machine: Machine, tmp_path: Path) -> None:
    assert command.main(["--minutes", "4.5"]) == 1
    assert names(machine) == ["fast", "wordy", "broken", "fast"]
    assert machine.limits == [270.0, 210.0, 150.0, 90.0]
    found = json.loads((tmp_path / "kept/results.json").read_text())
    assert [record["runs"] for record in found["benchmarks"]] == [2, 1, 0]
    assert found["left_out"] == {"needy": "needs --data"}
    assert found["benchmarks"][0]["figures"]["over.peer"] == {"median": 2.5, "lowest": 1.0, "highest": 4.0, "runs": 2}
    assert found["benchmarks"][2]["failure"] == "exit code 2: it broke"


def test_no_more_than_the_runs_that_were_asked_for(machine: Machine) -> None:
    command.main(["--runs", "2", "--only", "fast", "wordy"])
    assert names(machine) == ["fast", "wordy", "fast", "wordy"]


def test_what_there_is_no_time_for_is_named(machine: Machine, tmp_path: Path) -> None:
    assert command.main(["--minutes", "0.5", "--only", "fast", "wordy"]) == 1
    assert names(machine) == ["fast"]
    records = json.loads((tmp_path / "runs/benchmarks/results.json").read_text())["benchmarks"]
    assert [record["failure"] for record in records] == [None, "not begun: 0.5 minutes were over"]


def test_what_it_writes(machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", "D", "--runs", "2"]) == 1
    text = (tmp_path / "kept/RESULTS.md").read_text()
    assert "Made by `python -m benchmarks --data D --runs 2`" in text
    assert f"| speed | peer | 3 | 1 to 5 | `{'█' * 40}` |" in text
    assert "| rate | 1,235 | 1,235 to 1,235 |" in text
    assert "## Failed\n\n- `python -m benchmarks.broken`: exit code 2: it broke\n" in text
    assert "```text\nsome | text\n```" in text
    assert "`python -m benchmarks.needy D`, 2 runs: 60 s, 50 CPU seconds, peak 2 MB." in text
    assert "Quick" not in text
    assert "Not run" not in text
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'kept/RESULTS.md'}\n"
    assert "benchmarks: failed: broken; " in printed.err


@pytest.mark.parametrize("options", [("--quick",), ("--only", "fast"), ("--only", "fast", "--quick")])
def test_a_part_never_replaces_the_kept_results(machine: Machine, tmp_path: Path, options: tuple[str, ...]) -> None:
    command.main(list(options))
    assert not (tmp_path / "kept").exists()
    text = (tmp_path / "runs/benchmarks/RESULTS.md").read_text()
    assert ("**Quick" in text) == ("--quick" in options)


def test_quick_is_one_run_with_few_repeats(machine: Machine, tmp_path: Path) -> None:
    assert command.main(["--quick", "--only", "wordy", "--output", "here"]) == 0
    assert machine.log == [("benchmarks.wordy", "--few")]
    assert (tmp_path / "here/results.json").is_file()


def test_an_unknown_name_is_refused(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "fats"]) == 2
    assert capsys.readouterr().err == (
        "benchmarks: --only fats: there is no such benchmark; known: fast, wordy, broken, needy\n"
    )
    assert machine.log == []


def test_a_busy_machine_is_told(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (900.0, 0.0, 0.0))
    command.main(["--only", "fast"])
    assert "The machine was busy (load 900.0 at the start" in (tmp_path / "runs/benchmarks/RESULTS.md").read_text()


@pytest.mark.slow
def test_two_real_ones(tmp_path: Path) -> None:
    """The command as it is typed, with the quickest options."""
    import subprocess
    import sys

    words = ["-m", "benchmarks", "--quick", "--only", "near_duplicates", "manifest", "--output", str(tmp_path)]
    run = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, cwd=command.KEPT.parent)
    assert run.returncode == 0, run.stderr
    found = json.loads((tmp_path / "results.json").read_text())
    assert [record["name"] for record in found["benchmarks"]] == ["near_duplicates", "manifest"]
    assert all(record["figures"] for record in found["benchmarks"])
    assert found["machine"]["cores"] >= 1
    assert found["versions"]["torch"]
