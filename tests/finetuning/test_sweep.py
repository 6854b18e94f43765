"""Sweeps from the command line: what is counted, refused, waited for, and survives a kill."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from finetuning.errors import INTERRUPTED
from finetuning.reporting.missing import find_missing
from finetuning.run.result import Result
from finetuning.sweep import main, parse_sweep
from finetuning.sweeps import whole_sweep
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs
from finetuning.sweeps.plan import make_plan
from finetuning.sweeps.stages import unfinished_sources


def config(output: Path, **changes: object) -> SweepConfig:
    values = {"models": {"a": "models/a"}, "tasks": ("cola", "rte"), "output": str(output), "seeds": (1, 2)}
    return SweepConfig.model_validate(values | {"learning_rates": (5e-5, 2e-5)} | changes)


def test_command_line_overrides_the_file_and_counts_lists_and_prints_arrays(
    write_lines: Callable[..., Path], tmp_path: Path, capsys
):
    path = write_lines(
        "s.toml", "models = {a = 'x'}", "tasks = ['mnli', 'rte']", "output = 'o'", "start_from_mnli = ['rte']"
    )
    arguments = ["--config", str(path), "--seeds", "1,2,3", "--learning-rates", "2e-5", "--output", str(tmp_path)]
    assert main([*arguments, "--count"]) == 0
    assert capsys.readouterr().out == "6\n"
    assert main([*arguments, "--slurm"]) == 0
    first, second = (line for line in capsys.readouterr().out.splitlines() if "sbatch" in line)
    assert "--array=0-2%8" in first
    assert "--array=0-2%8" in second
    assert '--dependency=afterany:"${job0%%;*}" cluster/slurm/finetune.sbatch --plan' in second
    assert second.endswith(" --array-offset 3)")
    assert main([*arguments, "--list"]) == 0
    assert capsys.readouterr().out.count("due") == 6


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
        (["--models", f"a={old}", "--options.sequence-length", "9"], "sequence_length None, this sweep asks for 9"),
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


def test_each_seed_may_start_from_its_own_mnli_run(
    from_mnli, write_result: Callable[..., Path], capsys, monkeypatch: pytest.MonkeyPatch
):
    arguments, (*mnli, first, _) = from_mnli
    arguments += ["--mnli-run", "same seed"]
    assert main(arguments) == 2  # the first seed was made from the best run, which is of the second
    assert f"{first} holds a run with model {mnli[1] / 'model'}, this sweep asks for" in capsys.readouterr().err
    (first / "result.json").unlink()
    write_result(first, task="rte", seed=1, spec={"model": str(mnli[0] / "model")})
    assert main(arguments) == 0
    assert "4 were there" in capsys.readouterr().out
    due = []
    monkeypatch.setattr(whole_sweep.Executor, "execute", lambda self, runs: due.extend(runs) or [])
    whole_sweep.run_sweep(make_plan(parse_sweep(arguments)[0]), 1, Console())
    starts = [(run.seed, spec.model) for run, spec in due if run.task == "rte"]
    assert starts == [(1, str(mnli[0] / "model")), (2, str(mnli[1] / "model"))]


def fail(output: Path, *folders: Path) -> None:
    for folder in folders:
        logs = output / "logs" / folder.relative_to(output)
        logs.mkdir(parents=True)
        (logs / "failed.json").write_text("{}")


def test_nothing_waits_for_a_run_that_failed_for_good(from_mnli, capsys):
    arguments, folders = from_mnli
    output = Path(arguments[7])
    sweep_config, _ = parse_sweep(arguments)
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
    def fault(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("finetuning.sweeps.whole_sweep.run_sweep", fault)
    assert main(["--models", "a=x", "--tasks", "cola", "--output", str(tmp_path)]) == code
    assert os.strerror(number) in capsys.readouterr().err


def test_what_may_succeed_later_ends_with_75_and_what_needs_it_waits(
    tmp_path: Path, write_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys
):
    """The stand-in for a run says what the hub's absence makes one say."""
    monkeypatch.setattr(
        "finetuning.sweeps.whole_sweep.run_command",
        lambda spec: [
            sys.executable,
            "-c",
            f"import sys; print('error: away'); sys.exit({75 if spec.seed == 1 else 2})",
        ],
    )
    common = ["--models", "a=x", "--tasks", "mnli,rte", "--start-from-mnli", "rte", "--learning-rates", "3e-5"]
    common += ["--output", str(tmp_path), "--seeds", "1,2"]
    assert main([*common, "--jobs", "2"]) == 75
    said = capsys.readouterr()
    assert "0 runs finished, 0 were there, 1 failed, 3 postponed" in said.out
    assert "it needs 1 runs that are not finished, first --array-index 0" in said.err
    assert "the same command again goes on with it" in said.err
    assert main([*common, "--array-index", "0"]) == 75
    assert main([*common, "--array-index", "1"]) == 1
    assert main([*common, "--array-index", "2"]) == 1  # in an array its turn is over
    assert "left out: it needs 1 runs" in capsys.readouterr().err
    missing = {run.folder.name: run for run in find_missing([tmp_path])}
    reasons = {name: run.reason for name, run in missing.items()}
    assert reasons == {
        "lr3e-05-batch32-epochs3-seed1": "",
        "lr3e-05-batch32-epochs3-seed2": "wrong input",
        "lr3e-05-batch32-epochs3-seed1-from-mnli": "left out",
        "lr3e-05-batch32-epochs3-seed2-from-mnli": "",
    }
    assert missing["lr3e-05-batch32-epochs3-seed2"].tail == ("error: away",) * 2


def test_how_far_a_sweep_is_and_whether_a_signal_ended_a_run(tmp_path: Path, write_result: Callable[..., Path], capsys):
    arguments = ["--models", "a=x", "--tasks", "cola", "--learning-rates", "3e-5", "--output", str(tmp_path)]
    arguments += ["--seeds", "1,2", "--progress"]
    runs = plan_runs(config(tmp_path, models={"a": "x"}, tasks=("cola",), learning_rates=(3e-5,)))
    logs = [tmp_path / "logs" / run.folder for run in runs]
    assert main([*arguments, "--array-index", "1"]) == 0
    assert capsys.readouterr().out == f"{logs[1]}\n0 results, 0 saved steps\nnot interrupted\n"
    write_result(tmp_path / runs[0].folder, spec={"model": "x"})
    for folder in logs:
        folder.mkdir(parents=True)
        (folder / "output.txt").write_text(f"INFO so far\n{INTERRUPTED}\n")
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{tmp_path}/logs\n1 results, 0 saved steps\ninterrupted\n"
    (logs[1] / "output.txt").write_text(f"{INTERRUPTED}\nerror: the disk is full\n")
    assert main(arguments) == 0
    assert capsys.readouterr().out.endswith("\nnot interrupted\n")


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
    command += [
        "--epochs",
        "1",
        "--batch-sizes",
        "4",
        "--options.sequence-length",
        "32",
        "--options.threads=1",
        "--jobs",
        "2",
    ]

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
