"""Child processes that are run exactly once."""

import errno
import fcntl
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.main import parse_spec
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from finetuning.sweeps import child_processes
from finetuning.sweeps.attempts import HOST, memory_kills
from finetuning.sweeps.capacity import Slot
from finetuning.sweeps.child_processes import Executor, Outcome, run_command
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import PlannedRun, plan_runs


def config(output: Path, **changes: object) -> SweepConfig:
    values = {"models": {"a": "models/a"}, "tasks": ("cola", "rte"), "output": str(output), "seeds": (1, 2)}
    return SweepConfig.model_validate(values | {"learning_rates": (5e-5, 2e-5)} | changes)


FAKE_RUN = """
import json, os, pathlib, sys, time
output, result, behaviour = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
marks = output.parent / "marks"; marks.mkdir(parents=True, exist_ok=True)
(marks / f"{output.name}.{time.monotonic_ns()}.start").touch()
time.sleep(0.15)
starts = len(list(marks.glob(f"{output.name}.*.start")))
if behaviour == "user error": print("error: no such column"); sys.exit(2)
if behaviour == "75": print("error: the disk is full"); sys.exit(75)
if behaviour == "137": print("error: out of memory (so much)"); sys.exit(137)
if behaviour == "killed": os.kill(os.getpid(), 9)
if behaviour == "always" or behaviour == "once" and starts == 1: os.kill(os.getpid(), 11)
output.mkdir(parents=True)
(output / "result.json").write_text(pathlib.Path(result).read_text())
(marks / f"{output.name}.{time.monotonic_ns()}.end").touch()
"""


@pytest.fixture
def execute(tmp_path: Path, write_result: Callable[..., Path]):
    """execute(behaviours, slots) → outcomes of fake runs, one for each behaviour, and the executor's output folder."""
    result = write_result(tmp_path / "a result") / "result.json"
    script = tmp_path / "fake_run.py"
    script.write_text(FAKE_RUN)
    output = tmp_path / "sweep"

    def run(
        behaviours: list[str],
        slots: int = 1,
        retries: int = 1,
        devices: Sequence[str] = (),
        report: Callable[[Outcome], None] = lambda outcome: None,
    ):
        runs = plan_runs(config(output, tasks=("cola",), learning_rates=(1e-5,), seeds=tuple(range(len(behaviours)))))

        def command(spec: RunSpec) -> list[str]:
            return [sys.executable, str(script), str(spec.output), str(result), behaviours[spec.seed]]

        places = [Slot({"CUDA_VISIBLE_DEVICES": device}) for device in devices] or [Slot({})] * slots
        executor = Executor(output, places, retries, command, report)
        outcomes = executor.execute([(planned, planned.spec(output)) for planned in runs])
        by_seed = {outcome.run.seed: outcome for outcome in outcomes}
        assert len(by_seed) == len(outcomes)
        return [by_seed[seed] for seed in range(len(behaviours))], output

    return run


def test_crashes_are_retried_user_errors_are_not(execute):
    outcomes, output = execute(["good", "once", "always", "user error"], retries=1)
    assert [(outcome.state, outcome.attempts) for outcome in outcomes] == [
        ("finished", 1),
        ("finished", 2),
        ("failed", 2),
        ("failed", 1),
    ]
    assert "SIGSEGV" in outcomes[2].message
    assert "error: no such column" in outcomes[3].message
    attempts = output / "logs" / outcomes[1].run.folder / "attempts.jsonl"
    assert len(attempts.read_text().splitlines()) == 2


@pytest.mark.parametrize("retries", [0, 1])
def test_a_run_that_may_succeed_later_is_neither_tried_at_once_nor_given_up(execute, retries: int):
    (first, second), output = execute(["75", "good"], retries=retries)
    assert [(outcome.state, outcome.attempts) for outcome in (first, second)] == [("postponed", 1), ("finished", 1)]
    assert "error: the disk is full" in first.message
    assert not (output / "logs" / first.run.folder / "failed.json").exists()


def test_a_failure_says_why_and_too_little_memory_is_not_tried_again(execute, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "4711")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    outcomes, output = execute(["always", "user error", "137"])
    marks = [json.loads((output / "logs" / one.run.folder / "failed.json").read_text()) for one in outcomes]
    assert [(mark["reason"], mark["attempts"]) for mark in marks] == [
        ("crashed", 2),
        ("wrong input", 1),
        ("out of memory", 1),
    ]
    assert "error: out of memory (so much)" in marks[2]["message"]
    assert {(mark["job"], mark["host"]) for mark in marks} == {("4711_3", HOST)}
    attempt = (output / "logs" / outcomes[0].run.folder / "attempts.jsonl").read_text().splitlines()[-1]
    assert json.loads(attempt)["job"] == "4711_3"


@pytest.mark.parametrize(("kills", "reason", "attempts"), [(1, "out of memory", 1), (0, "crashed", 2)])
def test_a_kill_counts_as_one_for_memory_where_the_kernel_says_that_it_made_one(
    execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int, reason: str, attempts: int
):
    """The counters are a stand-in: a kernel that runs out of memory is no test's business."""
    counters, asked = tmp_path / "vmstat", 0

    def count() -> int:
        nonlocal asked
        asked += 1
        counters.write_text(f"nr_free_pages 7\noom_kill {5 + (asked > 1) * kills}\noom_kill_disable 9\n")
        return memory_kills(counters)

    monkeypatch.setattr(child_processes, "memory_kills", count)
    (outcome,), output = execute(["killed"])
    mark = json.loads((output / "logs" / outcome.run.folder / "failed.json").read_text())
    assert (mark["reason"], mark["attempts"]) == (reason, attempts)
    assert "SIGKILL" in mark["message"]


def test_where_the_kernel_does_not_count_kills_there_are_none(tmp_path: Path):
    assert memory_kills(tmp_path / "none") == 0
    assert memory_kills() >= 0


def test_who_runs_what_is_waited_for_is_said(execute, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    output = tmp_path / "sweep"
    folders = [run.folder for run in plan_runs(config(output, tasks=("cola",), learning_rates=(1e-5,), seeds=range(2)))]
    logs = output / "logs" / folders[1]
    logs.mkdir(parents=True)
    (logs / "attempts.jsonl").write_text(json.dumps({"host": "n7", "job": "4711_3"}) + "\n")
    with (logs / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        execute(["good", "good"], report=lambda _: fcntl.flock(lock, fcntl.LOCK_UN))
    assert (
        f"{folders[1]}: another process runs it (job 4711_3 on n7); waiting for its result" in capsys.readouterr().err
    )


def test_a_run_that_is_given_up_says_so_until_it_is_started_again(execute):
    (good, bad, wrong), output = execute(["good", "always", "user error"])
    marks = [output / "logs" / outcome.run.folder / "failed.json" for outcome in (good, bad, wrong)]
    assert [mark.exists() for mark in marks] == [False, True, True]
    assert "SIGSEGV" in json.loads(marks[1].read_text())["message"]
    execute(["good", "good", "user error"])
    assert [mark.exists() for mark in marks] == [False, False, True]


@pytest.mark.parametrize(
    ("attempt", "used"),
    [
        ({"host": HOST, "device": "1"}, {"0"}),
        ({"host": HOST, "device": "7"}, {"0", "1"}),
        ({"host": "another machine", "device": "1"}, {"0", "1"}),
        ({}, {"1"}),  # it does not say which: any is held back
    ],
)
def test_a_run_that_outlived_its_sweep_keeps_its_device(
    execute, tmp_path: Path, attempt: dict[str, str], used: set[str]
):
    """The last of the table is held by another process until all others are done."""
    behaviours, devices = ["good"] * 5, ("0", "1")
    output = tmp_path / "sweep"
    folders = [run.folder for run in plan_runs(config(output, tasks=("cola",), learning_rates=(1e-5,), seeds=range(5)))]
    logs = output / "logs" / folders[-1]
    logs.mkdir(parents=True)
    (logs / "attempts.jsonl").write_text(json.dumps(attempt) + "\n")
    left = 4
    with (logs / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def report(_: Outcome) -> None:
            nonlocal left
            left -= 1
            if not left:
                fcntl.flock(lock, fcntl.LOCK_UN)

        outcomes, _ = execute(behaviours, devices=devices, report=report)
    assert [outcome.state for outcome in outcomes] == ["finished"] * 5
    lines = [(output / "logs" / folder / "attempts.jsonl").read_text().splitlines() for folder in folders]
    assert {json.loads(attempts[0])["device"] for attempts in lines[:-1]} == used


def test_nothing_is_started_where_the_attempt_cannot_be_noted(execute, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(child_processes, "append_line", full)
        with pytest.raises(OSError, match="No space"):
            execute(["good"])
    (outcome,), output = execute(["good"])  # the lock was let go
    assert outcome.state == "finished"
    assert len(list(output.rglob("*.start"))) == 1


def test_a_file_system_without_locks_is_refused(execute, monkeypatch: pytest.MonkeyPatch):
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(FinetuningError, match=r"lock cannot be locked \(No locks available\).* choose an --output"):
        execute(["good"])


def test_what_is_finished_is_not_run_again(execute):
    execute(["good", "good", "always"])
    outcomes, output = execute(["good", "good", "good"])
    assert [outcome.state for outcome in outcomes] == ["present", "present", "finished"]
    starts = [path.name.split(".")[0] for path in output.rglob("*.start")]
    assert [starts.count(outcome.run.folder.name.split(".")[0]) for outcome in outcomes] == [1, 1, 3]


def test_no_more_runs_at_once_than_slots(execute):
    _, output = execute(["good"] * 5, slots=2)
    moments = sorted((int(path.name.split(".")[-2]), path.suffix) for path in output.rglob("marks/*"))
    running, most = 0, 0
    for _, kind in moments:
        running += 1 if kind == ".start" else -1
        most = max(most, running)
    assert most == 2


def test_the_command_line_of_a_run_says_the_same_as_its_specification(tmp_path: Path):
    options = {"bias_correction": False, "save_model": True, "sequence_length": 96, "stop_failed_after": 1}
    for run in plan_runs(config(tmp_path, options=options, data="d d")):
        spec = run.spec(tmp_path)
        assert parse_spec(run_command(spec)[3:])[0] == spec


@pytest.mark.parametrize(("behaviour", "state", "score"), [("good", "finished", 0.7), ("user error", "failed", 0.5)])
def test_a_run_that_is_made_again_keeps_its_result_until_the_new_one_is_there(
    tmp_path: Path, write_result: Callable[..., Path], behaviour: str, state: str, score: float
):
    sweep = config(tmp_path / "sweep", tasks=("cola",), learning_rates=(1e-5,), seeds=(1,))
    (run,) = plan_runs(sweep)
    spec = run.spec(tmp_path / "sweep")
    write_result(spec.output, score=0.5)
    new = write_result(tmp_path / "new", score=0.7) / "result.json"
    program = (
        "import pathlib, shutil, sys; old, new, what = sys.argv[1:]; old = pathlib.Path(old);"
        "assert not (old / 'result.json').exists();"
        "what == 'good' and shutil.copy(new, old); sys.exit(what != 'good' and 2)"
    )
    command = [sys.executable, "-c", program, str(spec.output), str(new), behaviour]
    executor = Executor(
        tmp_path / "sweep",
        [Slot({})],
        1,
        lambda _: command,
        lambda _: None,
        stands=lambda run, spec: Result.exists(spec.output) and Result.read(spec.output).score > 0.6,
    )
    (outcome,) = executor.execute([(run, spec)])
    assert outcome.state == state
    assert Result.read(spec.output).score == score
    assert not (spec.output / "result.json.replaced").exists()


def test_it_is_told_what_runs_and_for_how_long(tmp_path: Path, write_result: Callable[..., Path]):
    (run,) = plan_runs(config(tmp_path / "sweep", tasks=("cola",), learning_rates=(1e-5,), seeds=(1,)))
    seen: list[dict[PlannedRun, float]] = []
    command = [sys.executable, "-c", "import time; time.sleep(0.7)"]
    executor = Executor(tmp_path / "sweep", [Slot({})], 0, lambda _: command, lambda _: None, seen.append)
    executor.execute([(run, run.spec(tmp_path / "sweep"))])
    times = [running[run] for running in seen if run in running]
    assert times == sorted(times)
    assert times[-1] > times[0] >= 0
