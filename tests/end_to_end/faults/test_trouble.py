"""Bad numbers, lost and frozen ranks, full disks, a folder in use: each ends as the documentation says."""

import json
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pretraining.data.sampler import permute
from pretraining.run.metrics import read_metrics

pytestmark = pytest.mark.slow

EVERY_STEP = "--output.log_every=1"
SLOWLY = {rank: {"step_seconds": 0.05} for rank in (0, 1)}
ZERO = "--deepspeed.zero_optimization.stage={}"


def finite_weights(helpers: Any, folder: Path) -> bool:
    return all(bool(weight.isfinite().all()) for weight in helpers.weights_of(folder).values())


@pytest.mark.parametrize(
    ("stage", "what"), [(0, "bad_loss"), (1, "bad_gradient"), (1, "bad_loss"), (2, "bad_gradient"), (3, "bad_gradient")]
)
def test_one_bad_step_changes_nothing(start: Any, helpers: Any, tmp_path: Path, stage: int, what: str) -> None:
    """On one rank: the update is left out on all, and counted."""
    folder = tmp_path / "run"
    run = start(folder, EVERY_STEP, ZERO.format(stage), "--training.steps=5", faults={1: {what: [48]}})
    assert run.wait() == [0, 0], run.said
    lines = helpers.steps_of(folder)
    assert [line["skipped_updates"] for line in lines] == [0, 0, 1, 0, 0]
    assert [line["gradient_norm"] is None for line in lines] == [False, False, True, False, False]
    assert finite_weights(helpers, folder)
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # NaN and Infinity are no JSON


def test_bad_steps_in_a_row_are_gone_back_over(start: Any, helpers: Any, tmp_path: Path) -> None:
    """Draws 96 to 143 spoil every gradient: the run goes on without them, and says which examples they are."""
    folder = tmp_path / "run"
    often = (EVERY_STEP, "--checkpoint.every=2", "--health.rewind_after=2")
    bad = {rank: {"bad_gradient": [96, 120]} for rank in (0, 1)}
    run = start(folder, *often, faults=bad)
    assert run.wait() == [0, 0], run.said
    lines = helpers.steps_of(folder)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert sum(line["skipped_updates"] for line in lines) == 0
    (event,) = helpers.events_of(folder, "rewind")
    assert (event["step"], event["passed_over"]) == (4, 2)
    passed_over = [json.loads(line) for line in (folder / "passed_over.jsonl").read_text().splitlines()]
    assert [(line["step"], line["index"], len(line["examples"])) for line in passed_over] == [(5, 96, 24), (6, 120, 24)]
    assert all(Path(path).is_file() and row >= 0 for line in passed_over for path, row in line["examples"])
    # Another start that meets nothing bad goes by the same examples: what is passed over was saved at once.
    other = tmp_path / "killed"
    run = start(other, *often, faults={0: {**bad[0], "step_seconds": 0.05}, 1: bad[1]})
    run.until(lambda: bool(helpers.events_of(other, "rewind")))
    run.signal(signal.SIGKILL)
    run.wait()
    assert start(other, *often).wait() == [0, 0]
    assert helpers.same_weights(folder, other)
    assert ledger_says(folder) == 0


def ledger_says(*runs: Path) -> int:
    from pretraining import ledger

    return ledger.main([str(run) for run in runs])


def test_going_back_helps_only_so_often(start: Any, helpers: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    bad = {rank: {"bad_gradient": list(range(72, 2000))} for rank in (0, 1)}
    run = start(folder, "--checkpoint.every=2", "--health.rewind_after=1", "--health.rewinds=2", faults=bad)
    assert run.wait() == [2, 2], run.said
    state = helpers.state_of(folder)
    assert state["status"] == "failed"
    assert "the gradient was not finite in 1 steps in a row" in state["reason"]
    assert "after going back to step2 2 times" in state["reason"]


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(start: Any, helpers: Any, tmp_path: Path) -> None:
    bad = {rank: {"bad_gradient": list(range(2000))} for rank in (0, 1)}
    run = start(tmp_path / "run", "--health.rewind_after=3", faults=bad)
    assert run.wait() == [2, 2], run.said
    assert "there is no checkpoint to go back to" in helpers.state_of(tmp_path / "run")["reason"]


@pytest.mark.parametrize("step", [4, 12], ids=["at a save", "in the last update"])
def test_weights_that_are_not_finite_are_never_saved(start: Any, helpers: Any, tmp_path: Path, step: int) -> None:
    folder = tmp_path / "run"
    often = ("--output.log_every=25", "--checkpoint.every=2", "--checkpoint.keep=1", "--output.export=true")
    run = start(folder, *often, faults={0: {"bad_weight": step}})
    assert run.wait() == [2, 2], run.said
    state = helpers.state_of(folder)
    assert state["status"] == "failed"
    assert f"after step {step} the weight of" in state["reason"]
    assert len([line for line in run.logs[0].read_text().splitlines() if line.startswith("error")]) == 1
    assert not (folder / "export").exists()
    assert finite_weights(helpers, folder)
    run = start(folder, *often)  # whatever ruined them is mended
    assert run.wait() == [0, 0], run.said
    assert (folder / "export" / "config.json").is_file()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_frozen_rank(start: Any, helpers: Any, tmp_path: Path, rank: int) -> None:
    folder = tmp_path / "run"
    run = start(folder, EVERY_STEP, "--health.lost_after_seconds=5", "--training.steps=100000", faults=SLOWLY)
    run.until_step(3)
    run.signal(signal.SIGSTOP, rank)
    before = time.monotonic()
    assert run.wait(60, ranks=[1 - rank]) == [75], run.said
    seconds = time.monotonic() - before
    assert seconds > 4
    said = run.logs[1 - rank].read_text()
    assert f"rank {rank} on" in helpers.state_of(folder)["reason"]
    assert helpers.state_of(folder)["status"] == "interrupted"
    assert "every thread of it" in said
    assert "train_step" in said  # where it hangs


def test_no_step_for_too_long(start: Any, helpers: Any, tmp_path: Path) -> None:
    """Both ranks live and neither gets on: a deadlock, a device that hangs."""
    folder = tmp_path / "run"
    stuck = {1: {"step_seconds": 1000.0}}
    run = start(folder, "--health.watchdog_seconds=3", "--evaluation.examples=0", faults=stuck)
    assert run.wait(90) == [75, 75], run.said
    assert "no step for" in helpers.state_of(folder)["reason"]
    assert all("every thread of it" in log.read_text() for log in run.logs)
    assert "rank_process.py" in run.logs[1].read_text()


def test_two_runs_in_one_folder(start: Any, helpers: Any, undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = start(folder, EVERY_STEP, faults={rank: {"step_seconds": 0.5} for rank in (0, 1)})
    first.until_step(1)
    second = start(folder, ranks=1, faults={0: {"lock_seconds": 1.0}})
    assert second.wait(60) == [2], second.said
    pid = first.processes[0].pid
    assert f"is in use by process {pid} on" in second.logs[0].read_text()
    assert first.wait() == [0, 0], first.said
    assert helpers.same_weights(folder, undisturbed)


def test_the_next_start_waits_for_one_that_is_ending(
    start: Any, helpers: Any, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    first = start(folder, EVERY_STEP, faults={rank: {"step_seconds": 0.5} for rank in (0, 1)})
    first.until_step(3)
    first.signal(signal.SIGTERM)
    second = start(folder, EVERY_STEP)
    assert second.wait() == [0, 0], second.said
    assert first.wait() == [75, 75], first.said
    assert helpers.same_weights(folder, undisturbed)


SAVE, METRICS = "pretraining.run.checkpoint.save", "pretraining.run.metrics"


@pytest.mark.parametrize(
    ("rank", "module", "function", "call"),
    [(0, SAVE, "save_file", 2), (1, SAVE, "save_file", 2), (0, SAVE, "_complete", 2), (0, METRICS, "finite", 8)],
    ids=["0", "1", "the marker", "a line of metrics"],
)
def test_a_full_disk(
    start: Any, helpers: Any, undisturbed: Path, tmp_path: Path, rank: int, module: str, function: str, call: int
) -> None:
    """All ranks say the same, nothing is lost, and once there is room the same command goes on."""
    folder = tmp_path / "run"
    run = start(folder, EVERY_STEP, "--checkpoint.every=2", faults={rank: {"full": [module, function, call]}})
    assert run.wait() == [75, 75], run.said
    state = helpers.state_of(folder)
    assert (state["status"], state["saved_step"]) == ("interrupted", 2)
    assert "no space is left" in state["reason"]
    assert "Traceback" not in run.said
    run = start(folder, EVERY_STEP, "--checkpoint.every=2")
    assert run.wait() == [0, 0], run.said
    assert helpers.same_weights(folder, undisturbed)


@pytest.mark.parametrize("found_by", [(0,), (1,), (0, 1)], ids=["0", "1", "both"])
def test_a_damaged_shard(start: Any, shards: Path, tmp_path: Path, found_by: tuple[int, ...]) -> None:
    """Ranks look at different files, so one that keeps silent would end the run without a reason."""
    folder = Path(shutil.copytree(shards, tmp_path / "copy"))
    files = sorted((folder / "train/32").iterdir())
    order = permute(np.arange(len(files)), len(files), (20181011,))
    for rank in found_by:
        path = files[order[rank]]
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(bytes(content))
    run = start(tmp_path / "run", f"--data.shards={folder}")
    assert run.wait() == [2, 2], run.said
    for rank, log in enumerate(run.logs):
        (line,) = [line for line in log.read_text().splitlines() if line.startswith("error")] or [None]
        assert line is not None or rank not in found_by, run.said
        if line is not None:
            assert line.startswith("error: " if rank == 0 else "error on rank 1: ")
            assert "is not the file that was built" in line
    assert "error: " in run.logs[0].read_text()


def test_a_rank_that_never_comes(start: Any, helpers: Any, undisturbed: Path, tmp_path: Path) -> None:
    """Whoever came ends in time, state.json says so, and the same command goes on when all are there."""
    folder = tmp_path / "run"
    assert start(folder, EVERY_STEP, "--training.stop_at=3").wait() == [0, 0]
    short = ("--health.join_seconds=2", "--training.micro_batch_size=8")
    run = start(folder, EVERY_STEP, *short, environment={"WORLD_SIZE": "3"})
    assert run.wait(60) == [75, 75], run.said
    assert all("rank 2 of 3 did not come" in log.read_text() for log in run.logs[:1])
    state = helpers.state_of(folder)
    assert (state["status"], state["step"], state["saved_step"]) == ("interrupted", 3, 3)
    assert "rank 2 of 3 did not come" in state["reason"]
    assert "Traceback" not in run.said
    assert start(folder, EVERY_STEP).wait() == [0, 0]
    assert helpers.same_weights(folder, undisturbed)


def test_a_signal_while_a_rank_is_waited_for(start: Any, helpers: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = start(folder, "--training.micro_batch_size=8", environment={"WORLD_SIZE": "3"})
    run.until(lambda: run.logs[0].exists() and "waits at" in run.logs[0].read_text())
    run.signal(signal.SIGTERM)
    assert run.wait(60) == [75, 75], run.said
    state = helpers.state_of(folder)
    assert (state["status"], state["signal"], state["saved_step"]) == ("interrupted", "SIGTERM", None)


def test_a_rank_with_another_recipe(start: Any, tmp_path: Path) -> None:
    """Also one whose shards are not those of the others, though they have another folder on each machine."""
    folder = tmp_path / "run"
    first = start(folder, environment={"WORLD_SIZE": "2", "RANK": "0"}, ranks=1)
    port = first.port
    other = start(
        folder, "--training.seed=5", environment={"WORLD_SIZE": "2", "RANK": "1", "MASTER_PORT": port}, ranks=1
    )
    assert (first.wait(60), other.wait(60)) == ([2], [2]), first.said + other.said
    assert "training.seed is 5 for rank 1, and 1 for rank 0" in first.logs[0].read_text()
    assert not (folder / "state.json").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.root
def test_a_disk_that_is_really_full(start: Any, helpers: Any, small_disk: Path) -> None:
    folder = small_disk / "run"
    often = (EVERY_STEP, "--checkpoint.every=1", "--checkpoint.keep=9", "--output.tensorboard=false")
    run = start(folder, *often)
    assert run.wait() == [75, 75], run.said
    state = helpers.state_of(folder)
    assert state["status"] == "interrupted"
    assert state["saved_step"] >= 1
    assert "Traceback" not in run.said
    for old in sorted((folder / "checkpoints").glob("step?"))[:-1]:
        shutil.rmtree(old)
    run = start(folder, *(*often[:2], "--checkpoint.keep=1", often[3], "--evaluation.examples=0"))
    assert run.wait() in ([0, 0], [75, 75]), run.said
    assert helpers.state_of(folder)["saved_step"] > state["saved_step"]


def test_checkpoints_that_are_gone_are_missed(start: Any, helpers: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert start(folder, "--training.stop_at=3").wait() == [0, 0]
    before = (folder / "metrics.jsonl").read_text()
    shutil.rmtree(folder / "checkpoints")
    run = start(folder)
    assert 2 in run.wait()
    assert "has saved step 3 and its checkpoints are gone" in run.said
    assert (folder / "metrics.jsonl").read_text() == before


def test_killed_between_the_last_save_and_the_evaluation(
    start: Any, helpers: Any, undisturbed: Path, tmp_path: Path
) -> None:
    """A recipe whose steps are a multiple of its checkpoints': the figures of the end are there all the same."""
    folder = tmp_path / "run"
    often = (EVERY_STEP, "--checkpoint.every=4")
    slow = {rank: {"evaluation_seconds": 0.3} for rank in (0, 1)}
    run = start(folder, *often, "--evaluation.at_start=false", faults=slow)
    run.until_step(12)
    run.signal(signal.SIGKILL)
    run.wait()
    assert not helpers.events_of(folder, "evaluation")
    run = start(folder, *often, "--evaluation.at_start=false")
    assert run.wait() == [0, 0], run.said
    assert {line["step"] for line in helpers.events_of(folder, "evaluation")} == {12}
    report = json.loads((folder / "report.json").read_text())
    assert report["summary"]["held_out_last"]["step"] == 12
    assert helpers.same_weights(folder, undisturbed)


ELASTIC = (EVERY_STEP, "--training.precision=fp32", "--training.micro_batch_size=2")


@pytest.fixture(scope="module")
def one_rank(server: Any, shards: Path, tmp_path_factory: pytest.TempPathFactory, helpers: Any) -> Path:
    """A run in float32 on one rank."""
    folder = tmp_path_factory.mktemp("one-rank")
    starter = helpers.start.__wrapped__(server, shards, folder)
    assert next(starter)(folder / "run", *ELASTIC, ranks=1).wait() == [0]
    return folder / "run"


@pytest.mark.parametrize(
    ("stage", "before", "after"), [(0, 2, 1), (0, 4, 3), (1, 2, 1), (1, 1, 2), (2, 4, 3), (3, 4, 3), (3, 1, 2)]
)
def test_another_number_of_ranks(
    start: Any, helpers: Any, one_rank: Path, tmp_path: Path, stage: int, before: int, after: int
) -> None:
    """The same examples in the same order, and the same losses: dropout is drawn by example, not by rank."""
    folder, layout = tmp_path / "run", (*ELASTIC, ZERO.format(stage))
    assert start(folder, *layout, "--training.stop_at=4", ranks=before).wait() == [0] * before
    run = start(folder, *layout, ranks=after)
    assert run.wait() == [0] * after, run.said
    ours, whole = ([line["loss"] for line in helpers.steps_of(path)] for path in (folder, one_rank))
    assert ours == pytest.approx(whole, abs=1e-5)
    assert len(ours) == 12
    assert ledger_says(folder, one_rank) == 0
    assert ledger_says(folder) == 0
    assert "sums are rounded otherwise" in run.logs[0].read_text()


def test_the_ledger_tells_runs_apart(start: Any, undisturbed: Path, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "run"
    assert start(folder, EVERY_STEP, "--data.seed=2", ranks=1).wait() == [0]
    assert ledger_says(folder) == 0
    assert ledger_says(folder, undisturbed) == 1
    assert "the same examples up to step 0, others between it and step" in capsys.readouterr().out


def test_the_job_s_end_is_known(start: Any, helpers: Any, tmp_path: Path) -> None:
    """Slurm says when: the run saves and ends before, without any signal."""
    folder = tmp_path / "run"
    ends = {"SLURM_JOB_END_TIME": str(math.ceil(time.time() + 45))}
    run = start(folder, "--training.steps=100000", "--output.log_every=1000", environment=ends, faults=SLOWLY)
    assert run.wait(60) == [75, 75], run.said
    state = helpers.state_of(folder)
    assert (state["status"], state["reason"]) == ("interrupted", "the job's time is nearly up")
    assert state["saved_step"] == state["step"] > 0
    assert read_metrics(folder / "metrics.jsonl")
