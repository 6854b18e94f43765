"""Runs of a sweep's tables without a result, and what is known of each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.atomic_file import write_json
from finetuning.errors import FinetuningError
from finetuning.reporting.missing import MissingRun, find_missing
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., list[Path]]:
    """plan(table, **keys) writes a table of a sweep, says that it lies elsewhere, and returns its runs' folders."""

    def write(table: str = "sweep.json", **keys: Any) -> list[Path]:
        values = {"models": {"a": "models/a"}, "tasks": ["cola"], "output": "elsewhere", "seeds": [1, 2], **keys}
        config = SweepConfig.model_validate(values)
        write_json(tmp_path / "sweep" / table, config.model_dump(mode="json"))
        return [run.folder for run in plan_runs(config)]

    return write


def not_begun(folder: Path) -> MissingRun:
    return MissingRun(folder, 0, "not started", reason="", message="", job="", log="", tail=())


def test_a_run_that_never_began(plan: Callable[..., list[Path]], tmp_path: Path, write_result) -> None:
    output, folders = tmp_path / "sweep", plan(seeds=[3, 1, 2])
    write_result(output / folders[1])
    assert find_missing([output]) == [not_begun(output / folders[0]), not_begun(output / folders[2])]


def test_a_run_that_is_going_on(plan: Callable[..., list[Path]], tmp_path: Path) -> None:
    output = tmp_path / "sweep"
    folder = plan(seeds=[1])[0]
    logs = output / "logs" / folder
    logs.mkdir(parents=True)
    (logs / "attempts.jsonl").write_text('{"job": "1"}\n{"job": null}\n{"job": "4711_3"}\n')
    (logs / "output.txt").write_text("".join(f"line {number}\n" for number in range(1, 13)))
    tail = tuple(f"line {number}" for number in range(3, 13))
    log = f"{logs}/output.txt"
    expected = MissingRun(output / folder, 3, "line 12", reason="", message="", job="4711_3", log=log, tail=tail)
    assert find_missing([output]) == [expected]


@pytest.mark.parametrize(("named", "job"), [("4712", "4712"), (None, "4711"), ("", "4711")])
def test_a_run_that_was_given_up(plan: Callable[..., list[Path]], tmp_path: Path, named: str | None, job: str) -> None:
    folder = plan(seeds=[1])[0]
    logs = tmp_path / "sweep" / "logs" / folder
    logs.mkdir(parents=True)
    (logs / "attempts.jsonl").write_text('{"job": "4711"}\n')
    write_json(logs / "failed.json", {"reason": "out of memory", "message": "exit code 137", "job": named})
    (found,) = find_missing([tmp_path / "sweep"])
    assert (found.reason, found.message, found.job) == ("out of memory", "exit code 137", job)
    assert (found.attempts, found.last_line, found.log, found.tail) == (1, "not started", "", ())


@pytest.mark.parametrize("mark", ["{half", "[]", "{}"])
def test_a_mark_that_says_nothing(plan: Callable[..., list[Path]], tmp_path: Path, mark: str) -> None:
    """A machine that went down may leave half of it; where no job is named there was none."""
    folder = plan(seeds=[1])[0]
    logs = tmp_path / "sweep" / "logs" / folder
    logs.mkdir(parents=True)
    (logs / "failed.json").write_text(mark)
    assert find_missing([tmp_path / "sweep"]) == [not_begun(tmp_path / "sweep" / folder)]


def test_settings_that_did_not_earn_further_seeds_are_not_missed(
    plan: Callable[..., list[Path]], tmp_path: Path, write_result: Callable[..., Path]
) -> None:
    """Where the sweep lies now counts, not where it says; nor is one forgotten that was given up before."""
    output = tmp_path / "sweep"
    folders = plan(learning_rates=[5e-5, 4e-5, 3e-5], first_seeds=1, keep_settings=1)
    for folder, score in zip(folders[:3], (0.5, 0.9, 0.7), strict=True):
        write_result(output / folder, score=score)
    assert find_missing([output]) == [not_begun(output / folders[4])]
    given_up = output / "logs" / folders[3]
    given_up.mkdir(parents=True)
    (given_up / "failed.json").write_text("{}")
    assert find_missing([output]) == [not_begun(output / folders[3]), not_begun(output / folders[4])]


def test_every_table_that_was_ever_swept_counts_once(plan: Callable[..., list[Path]], tmp_path: Path) -> None:
    output = tmp_path / "sweep"
    (now,), others = plan(seeds=[2]), [plan("sweep-a.json", seeds=[1, 2]), plan("sweep-b.json", seeds=[3])]
    (output / "sweep-c.json").mkdir()
    write_json(output / "swept.json", {})
    expected = [not_begun(output / folder) for folder in (now, others[0][0], others[1][0])]
    assert find_missing([output]) == expected
    assert find_missing(iter([tmp_path, output, output])) == expected
    (output / "sweep.json").unlink()
    assert [run.folder for run in find_missing([output])] == [output / f for f in (*others[0], *others[1])]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"models": 3}', b'{"models"', b"\xff"])
def test_a_damaged_table_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sweep.json").write_bytes(content)
    with pytest.raises(FinetuningError, match=r"sweep\.json is damaged or of another version \(.+\); delete") as raised:
        find_missing([tmp_path])
    assert "\n" not in str(raised.value)


def test_a_table_says_what_is_wrong_with_it(plan: Callable[..., list[Path]], tmp_path: Path) -> None:
    plan()
    path = tmp_path / "sweep" / "sweep.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"new_key": 1}))
    with pytest.raises(FinetuningError, match="new_key Extra inputs are not permitted"):
        find_missing([tmp_path / "sweep"])
