"""Sweeps: the table of runs, what waits for what, and child processes that are run exactly once."""

import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from finetuning import sweep as sweep_module
from finetuning.errors import FinetuningError
from finetuning.main import parse_spec
from finetuning.reporting.gather import find_missing
from finetuning.run.result import Result, RunSpec
from finetuning.sweep import main
from finetuning.sweeps import execution
from finetuning.sweeps.capacity import Slot, cpu_slots, gpu_slots
from finetuning.sweeps.execution import Executor, Outcome, run_command
from finetuning.sweeps.grid import SweepConfig, load_config, plan_runs
from finetuning.sweeps.stages import kept_settings, split_stages, starting_model, unfinished_sources


def config(output: Path, **changes: object) -> SweepConfig:
    values = {"models": {"a": "models/a"}, "tasks": ("cola", "rte"), "output": str(output), "seeds": (1, 2)}
    return SweepConfig.model_validate(values | {"learning_rates": (5e-5, 2e-5)} | changes)


def test_the_table_has_every_combination_once_and_first_seeds_first(tmp_path: Path):
    runs = plan_runs(config(tmp_path, batch_sizes=(16, 32), models={"a": "x", "b": "y"}))
    assert len(runs) == 2 * 2 * 2 * 2 * 2
    assert len({run.folder for run in runs}) == len(runs)
    assert [run.seed for run in runs] == [1] * 16 + [2] * 16
    assert runs == plan_runs(config(tmp_path, batch_sizes=(16, 32), models={"a": "x", "b": "y"}))


def test_a_task_can_have_its_own_grid_data_and_options(tmp_path: Path):
    override = {"epochs": [10], "seeds": [7], "data": "elsewhere", "options": {"max-length": 64}}
    runs = plan_runs(
        config(tmp_path, data="root", options={"max_length": 128, "weight_decay": 0}, task={"rte": override})
    )
    rte = [run.spec(tmp_path) for run in runs if run.task == "rte"]
    cola = [run.spec(tmp_path) for run in runs if run.task == "cola"]
    assert {(spec.epochs, spec.seed, str(spec.data), spec.max_length) for spec in rte} == {(10, 7, "elsewhere", 64)}
    assert {(spec.epochs, spec.seed, str(spec.data), spec.max_length) for spec in cola} == {
        (3, seed, "root", 128) for seed in (1, 2)
    }
    assert all(spec.weight_decay == 0 for spec in rte + cola)


def test_the_command_line_of_a_run_says_the_same_as_its_specification(tmp_path: Path):
    options = {"bias_correction": False, "save_model": True, "max_length": 96, "stop_failed_after": 1}
    for run in plan_runs(config(tmp_path, options=options, data="d d")):
        spec = run.spec(tmp_path)
        assert parse_spec(run_command(spec)[3:]) == spec


BAD = {
    "no models": ({"models": {}}, "at least one model"),
    "a label that is no folder name": ({"models": {"a/b": "x"}}, "label 'a/b'"),
    "a task twice": ({"tasks": ("cola", "cola")}, "listed twice"),
    "a task that is not swept": ({"task": {"mnli": {}}}, "'mnli' is configured but not among"),
    "from MNLI without MNLI": ({"start_from_mnli": ("rte",)}, "needs the task mnli"),
    "half of a rule": ({"first_seeds": 2}, "go together"),
    "no seeds": ({"seeds": ()}, "seeds"),
    "a rate of 5": ({"learning_rates": (5.0,)}, "learning_rates"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_sweep_is_refused(tmp_path: Path, name: str):
    changes, says = BAD[name]
    values = {"models": {"a": "x"}, "tasks": ("cola", "rte"), "output": str(tmp_path)}
    with pytest.raises(FinetuningError, match=re.escape(says)):
        load_config(None, values | changes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models = {a = 'x'}\noutput = 'o'\nlearning_rate = [1e-5]", "did you mean 'learning_rates'"),
        ("models = ", "not valid TOML"),
        ("output = 'o'", "models"),
    ],
)
def test_a_wrong_sweep_file_is_refused(write_lines: Callable[..., Path], text: str, says: str, capsys):
    path = write_lines("sweep.toml", text)
    assert main([str(path), "--count"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "sweep.toml" in error


def test_an_unknown_option_of_a_run_names_the_nearest(tmp_path: Path):
    with pytest.raises(FinetuningError, match="did you mean 'max_length'"):
        plan_runs(config(tmp_path, options={"max_lenght": 3}))
    with pytest.raises(FinetuningError, match="unknown option 'seed'"):  # the grid's own
        plan_runs(config(tmp_path, options={"seed": 3}))


def test_command_line_overrides_the_file_and_counts_lists_and_prints_arrays(
    write_lines: Callable[..., Path], tmp_path: Path, capsys
):
    path = write_lines(
        "s.toml", "models = {a = 'x'}", "tasks = ['mnli', 'rte']", "output = 'o'", "start_from_mnli = ['rte']"
    )
    arguments = [str(path), "--seeds", "1,2,3", "--learning-rates", "2e-5", "--output", str(tmp_path)]
    assert main([*arguments, "--count"]) == 0
    assert capsys.readouterr().out == "6\n"
    assert main([*arguments, "--slurm"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "--array=0-2 cluster/slurm/finetune.sbatch" in first
    assert '--dependency=afterany:"$stage0" --array=3-5' in second
    assert main([*arguments, "--list"]) == 0
    assert capsys.readouterr().out.count("due") == 6


def test_an_option_of_the_command_line_leaves_the_others_of_the_file(write_lines: Callable[..., Path], tmp_path: Path):
    path = write_lines(
        "s.toml",
        "models = {a = 'x'}",
        "output = 'o'",
        "tasks = ['cola', 'rte']",
        "options = {max-length = 64, dropout = 0.2}",
        "[task.rte.options]",
        "max-length = 256",
    )
    runs = plan_runs(load_config(path, {"options": {"max_length": "96", "warmup_share": "0"}}))
    options = {
        (spec.task, spec.max_length, spec.dropout, spec.warmup_share) for spec in (run.spec(tmp_path) for run in runs)
    }
    assert options == {("cola", 96, 0.2, 0.0), ("rte", 256, 0.2, 0.0)}  # the task's own table wins
    broken = write_lines("b.toml", "models = {a = 'x'}", "output = 'o'", "options = 3")
    with pytest.raises(FinetuningError, match="bad value for options"):
        load_config(broken, {"options": {"max_length": "96"}})


def test_the_documented_sweep_is_valid(repository: Path, tmp_path: Path):
    text = (repository / "docs" / "sweeps.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "sweep.toml").write_text(example)
    sweep = load_config(tmp_path / "sweep.toml", {})
    runs = plan_runs(sweep)
    assert [len(stage) for stage in split_stages(runs, sweep)] == [2 * 4 * 2 * 2 * 2, 2 * 4 * 2 * 3 * 2] + [
        2 * 4 * 2 * 2 * 3,
        2 * 4 * 2 * 3 * 3,
    ]
    assert all(run.spec(tmp_path).stop_failed_after == 1 for run in runs)


def test_only_the_best_settings_go_on_after_the_first_seeds(tmp_path: Path, write_result: Callable[..., Path]):
    sweep = config(tmp_path, tasks=("cola",), seeds=(1, 2, 3), first_seeds=2, keep_settings=1)
    runs = plan_runs(sweep)
    first, later = split_stages(runs, sweep)
    assert [len(first), len(later)] == [4, 2]
    assert kept_settings(later[0], runs, sweep) == ([], first)
    for run, score in zip(first, [0.5, 0.7, 0.6, 0.45], strict=True):  # means: 5e-5 0.55, 2e-5 0.575
        write_result(tmp_path / run.folder, score=score)
    settings, unfinished = kept_settings(later[0], runs, sweep)
    assert not unfinished
    assert [setting[2] for setting in settings] == [2e-5]


def test_runs_from_mnli_start_from_its_best_run_with_weights(tmp_path: Path, write_result: Callable[..., Path]):
    sweep = config(tmp_path, tasks=("rte", "mnli"), start_from_mnli=("rte",))
    runs = plan_runs(sweep)
    mnli = [run for run in runs if run.task == "mnli"]
    (rte, *_) = (run for run in runs if run.task == "rte")
    assert split_stages(runs, sweep)[0] == mnli
    assert all(run.spec(tmp_path).save_model for run in mnli)
    assert unfinished_sources(rte, runs, sweep) == mnli
    with pytest.raises(FinetuningError, match="no MNLI run of a"):
        starting_model(rte, runs, sweep)
    for run, score in zip(mnli, [0.7, 0.9, 0.8, 0.6], strict=True):
        folder = write_result(tmp_path / run.folder, task="mnli", score=score)
        if score < 0.9:  # the best one kept no weights
            (folder / "model").mkdir()
    assert unfinished_sources(rte, runs, sweep) == []
    assert starting_model(rte, runs, sweep) == str(tmp_path / mnli[2].folder / "model")
    assert rte.folder.name.endswith("-from-mnli")


def test_a_result_of_other_weights_data_or_options_does_not_stand_for_this_run(
    tmp_path: Path, write_result: Callable[..., Path], capsys
):
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "new").mkdir()
    output = tmp_path / "sweep"
    common = ["--tasks", "cola", "--seeds", "1", "--learning-rates", "3e-5", "--output", str(output)]
    run = plan_runs(config(output, models={"a": str(old)}, tasks=("cola",), learning_rates=(3e-5,), seeds=(1,)))[0]
    write_result(output / run.folder, spec={"model": str(old)})
    assert main([*common, "--models", f"a={old}/../old"]) == 0  # the same place
    assert "1 were there" in capsys.readouterr().out
    for changed, says in (
        (["--models", f"a={new}"], f"model {old}, this sweep asks for {new}"),
        (["--models", f"a={old}", "--data", "d"], "data None, this sweep asks for d"),
        (["--models", f"a={old}", "--set", "max_length=9"], "max_length None, this sweep asks for 9"),
    ):
        assert main([*common, *changed]) == 2
        assert says in capsys.readouterr().err
    (old / "model.safetensors").touch()
    os.utime(old / "model.safetensors", (2e9, 2e9))
    assert main([*common, "--models", f"a={old}"]) == 0
    assert "are newer than this run" in capsys.readouterr().err


def test_an_array_task_whose_sources_are_missing_says_which(tmp_path: Path, capsys):
    common = ["--models", "a=x", "--tasks", "mnli,rte", "--seeds", "1", "--learning-rates", "2e-5"]
    common += ["--start-from-mnli", "rte", "--output", str(tmp_path)]
    assert main([*common, "--array-index", "1"]) == 1
    assert "--array-index 0 (a/mnli/" in capsys.readouterr().err
    assert main([*common, "--array-index", "2"]) == 2
    assert "runs 0 to 1" in capsys.readouterr().err


@pytest.fixture
def from_mnli(tmp_path: Path, write_result: Callable[..., Path]):
    """A finished sweep of MNLI (two seeds, the second is better) and RTE: its arguments, and the folder of each run."""
    output = tmp_path / "sweep"
    arguments = ["--models", "a=x", "--tasks", "mnli,rte", "--start-from-mnli", "rte", "--output", str(output)]
    arguments += ["--seeds", "1,2", "--learning-rates", "3e-5"]
    options = {"models": {"a": "x"}, "tasks": ("mnli", "rte"), "start_from_mnli": ("rte",), "learning_rates": (3e-5,)}
    folders = [output / run.folder for run in plan_runs(config(output, **options))]
    for folder, seed, score in zip(folders[:2], (1, 2), (0.6, 0.7), strict=True):
        write_result(folder, task="mnli", score=score, seed=seed, spec={"model": "x", "save_model": True})
        (folder / "model").mkdir()
    for folder, seed in zip(folders[2:], (1, 2), strict=True):
        write_result(folder, task="rte", seed=seed, spec={"model": str(folders[1] / "model")})
    return arguments, folders


def test_a_result_that_started_from_another_mnli_run_is_refused(
    from_mnli, tmp_path: Path, write_result: Callable[..., Path], capsys
):
    arguments, (worse, _, *rte) = from_mnli
    assert main(arguments) == 0
    assert "4 were there" in capsys.readouterr().out
    write_result(worse, task="mnli", score=0.8, spec={"model": "x", "save_model": True})  # now it is the best
    assert main(arguments) == 2
    assert f"{rte[0]} holds a run with model" in capsys.readouterr().err
    # Nor may one from the new starting point be added beside it, by this stage or by an earlier one.
    (rte[1] / "result.json").rename(tmp_path / "kept")
    assert main([*arguments, "--array-index", "3"]) == 2
    assert f"{rte[0]} holds a run with model" in capsys.readouterr().err
    (tmp_path / "kept").rename(rte[1] / "result.json")
    (rte[0] / "result.json").unlink()
    assert main([*arguments, "--first-seeds", "1", "--keep-settings", "1"]) == 2
    assert f"{rte[1]} holds a run with model" in capsys.readouterr().err
    assert not (tmp_path / "sweep" / "logs").exists()


def fail(output: Path, *folders: Path) -> None:
    for folder in folders:
        logs = output / "logs" / folder.relative_to(output)
        logs.mkdir(parents=True)
        (logs / "failed.json").write_text("{}")


def test_nothing_waits_for_a_run_that_failed_for_good(from_mnli, capsys):
    arguments, folders = from_mnli
    output = Path(arguments[7])
    sweep_config = load_config(
        None,
        {"models": {"a": "x"}, "tasks": ("mnli", "rte"), "start_from_mnli": ("rte",)}
        | {"output": str(output), "seeds": (1, 2), "learning_rates": (3e-5,)},
    )
    runs = plan_runs(sweep_config)
    (folders[0] / "result.json").unlink()
    assert unfinished_sources(runs[2], runs, sweep_config) == [runs[0]]
    assert main([*arguments, "--array-index", "2"]) == 1
    assert "--array-index 0" in capsys.readouterr().err
    fail(output, folders[0])
    assert unfinished_sources(runs[2], runs, sweep_config) == []
    assert main([*arguments, "--array-index", "2"]) == 0


def test_later_seeds_do_not_wait_for_a_failed_one_but_need_one_that_finished(
    tmp_path: Path, write_result: Callable[..., Path], capsys
):
    arguments = ["--models", "a=x", "--tasks", "cola", "--seeds", "1,2,3", "--learning-rates", "3e-5"]
    arguments += ["--output", str(tmp_path), "--first-seeds", "2", "--keep-settings", "1", "--array-index", "2"]
    runs = plan_runs(config(tmp_path, models={"a": "x"}, tasks=("cola",), seeds=(1, 2, 3), learning_rates=(3e-5,)))
    fail(tmp_path, tmp_path / runs[0].folder, tmp_path / runs[1].folder)
    assert main(arguments) == 1
    assert "every run of the first seeds failed" in capsys.readouterr().err
    write_result(tmp_path / runs[0].folder, spec={"model": "x"})  # finished after all: the old mark says nothing
    write_result(tmp_path / runs[2].folder, seed=3, spec={"model": "x"})
    assert main(arguments) == 0
    assert "1 were there" in capsys.readouterr().out


def test_runs_of_an_earlier_table_stay_missing(tmp_path: Path, write_result: Callable[..., Path]):
    arguments = ["--models", "a=x", "--tasks", "cola", "--learning-rates", "3e-5", "--output", str(tmp_path)]
    runs = plan_runs(config(tmp_path, models={"a": "x"}, tasks=("cola",), seeds=(1, 2, 3), learning_rates=(3e-5,)))
    write_result(tmp_path / runs[0].folder, spec={"model": "x"})
    assert main([*arguments, "--seeds", "1,2", "--array-index", "0"]) == 0
    assert [missing.folder for missing in find_missing([tmp_path])] == [tmp_path / runs[1].folder]
    assert main([*arguments, "--seeds", "1"]) == 0  # narrower
    assert [missing.folder for missing in find_missing([tmp_path])] == [tmp_path / runs[1].folder]
    assert main([*arguments, "--seeds", "1,3", "--array-index", "0"]) == 0  # wider
    assert json.loads((tmp_path / "sweep.json").read_text())["seeds"] == [1, 3]
    assert {missing.folder for missing in find_missing([tmp_path])} == {tmp_path / run.folder for run in runs[1:]}


@pytest.mark.parametrize("jobs", ["0", "-1"])
def test_no_runs_at_once_are_refused(tmp_path: Path, jobs: str, capsys):
    assert main(["--models", "a=x", "--tasks", "cola", "--output", str(tmp_path / "o"), "--jobs", jobs]) == 2
    assert f"--jobs {jobs}: at least one" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 75), (errno.EIO, 75), (errno.EACCES, 2)])
def test_a_fault_of_the_system_ends_the_sweep_in_one_sentence(
    tmp_path: Path, number: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys
):
    def fault(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sweep_module, "run_sweep", fault)
    assert main(["--models", "a=x", "--tasks", "cola", "--output", str(tmp_path)]) == code
    assert os.strerror(number) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cores", "memory", "model", "jobs", "count", "threads"),
    [
        (8, 64 << 30, 0, None, 8, "1"),
        (8, 6 << 30, 400 << 20, None, 2, "4"),  # 1 GiB and five times the weights each
        (2, 1 << 20, 400 << 20, None, 1, "2"),
        (8, 64 << 30, 0, 3, 3, "2"),
    ],
)
def test_as_many_runs_as_cores_and_memory_bear(cores, memory, model, jobs, count, threads):
    slots = cpu_slots(cores, memory, model, jobs)
    assert [slot.environment["OMP_NUM_THREADS"] for slot in slots] == [threads] * count


def test_each_gpu_gets_its_share():
    devices = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in gpu_slots(["2", "5"], 8, 4)]
    assert devices == ["2", "5", "2", "5"]
    assert len(gpu_slots(["0", "1", "2"], 8)) == 3


FAKE_RUN = """
import json, os, pathlib, sys, time
output, result, behaviour = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
marks = output.parent / "marks"; marks.mkdir(parents=True, exist_ok=True)
(marks / f"{output.name}.{time.monotonic_ns()}.start").touch()
time.sleep(0.15)
starts = len(list(marks.glob(f"{output.name}.*.start")))
if behaviour == "user error": print("error: no such column"); sys.exit(2)
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
        ({"host": execution.HOST, "device": "1"}, {"0"}),
        ({"host": execution.HOST, "device": "7"}, {"0", "1"}),
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
        patch.setattr(execution, "_append_line", full)
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


def end_groups(groups: list[int]) -> None:
    """Ends what a failed test may have left running."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_sweep_goes_on_nothing_is_run_twice_and_nothing_lost(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, repository: Path, request: pytest.FixtureRequest
):
    """First the whole group is killed, then the sweep alone, whose runs live on; then it is left in peace."""
    output = tmp_path / "sweep"
    command = [sys.executable, "-m", "finetuning.sweep", "--models", f"tiny={model_folder}", "--tasks", "cola"]
    command += ["--data", str(benchmark_data), "--output", str(output), "--seeds", "1,2,3", "--learning-rates", "1e-3"]
    command += ["--epochs", "1", "--batch-sizes", "4", "--set", "max_length=32", "--set", "threads=1", "--jobs", "2"]

    def results() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in output.rglob("result.json")}

    def attempts() -> dict[str, int]:
        return {path.parent.name: len(path.read_text().splitlines()) for path in output.rglob("attempts.jsonl")}

    def is_running(name: str) -> bool:
        """An attempt is written down before its process exists, so a kill in between is an attempt that never ran."""
        commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        return any(str(output) in word and word.endswith(name) for command in commands for word in command)

    def all_started() -> bool:
        done = {path.parent.name for path in results()}
        return all(is_running(name) for name in attempts() if name not in done)

    groups: list[int] = []

    def start_and_kill(moment: Callable[[], bool], group: bool) -> None:
        sweep = subprocess.Popen(command, cwd=repository, start_new_session=True, stdout=subprocess.DEVNULL)
        groups.append(sweep.pid)
        deadline = time.monotonic() + 240
        while not moment():
            assert sweep.poll() is None, "the sweep ended before it could be killed"
            assert time.monotonic() < deadline, "the moment to kill it never came"
            time.sleep(0.01)
        if group:
            os.killpg(sweep.pid, signal.SIGKILL)
        else:
            os.kill(sweep.pid, signal.SIGKILL)
        sweep.wait()

    request.addfinalizer(lambda: end_groups(groups))
    start_and_kill(lambda: len(attempts()) == 2 and all_started(), group=True)
    assert not results()
    start_and_kill(lambda: len(results()) >= 1 and len(attempts()) == 3 and all_started(), group=False)
    finished, tried = results(), attempts()
    ended = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert len(results()) == 3
    assert {path: results()[path] for path in finished} == finished  # not written again
    assert attempts() == tried  # the runs that outlived the sweep were waited for, not started again
    assert sorted(tried.values()) == [1, 2, 2]
    assert {Result.read(path.parent).seed for path in results()} == {1, 2, 3}
    again = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False, timeout=300)
    assert "0 runs finished, 3 were there, 0 failed" in again.stdout
    assert json.loads((output / "sweep.json").read_text())["seeds"] == [1, 2, 3]
