"""However a run is stopped, the same command goes on as if nothing had been: bit for bit, with the shipped defaults."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
EVERY_STEP = "--output.log_every=1"
SLOWLY = {rank: {"step_seconds": 0.05} for rank in (0, 1)}


@pytest.mark.parametrize(
    ("number", "ranks"),
    [(signal.SIGTERM, (0, 1)), (signal.SIGTERM, (1,)), (signal.SIGUSR1, (0, 1)), (signal.SIGINT, (0,))],
)
def test_a_signal(
    start: Any, helpers: Any, undisturbed: Path, tmp_path: Path, number: signal.Signals, ranks: tuple[int, ...]
) -> None:
    folder = tmp_path / "run"
    run = start(folder, EVERY_STEP, faults=SLOWLY)
    run.until_step(4)
    run.signal(number, *ranks)
    assert run.wait(60) == [75, 75], run.said
    state = helpers.state_of(folder)
    assert (state["status"], state["signal"]) == ("interrupted", number.name)
    assert 4 <= state["step"] < 12
    assert state["saved_step"] == state["step"]
    run = start(folder, EVERY_STEP)
    assert run.wait() == [0, 0], run.said
    assert helpers.same_weights(folder, undisturbed)
    assert [line["step"] for line in helpers.steps_of(folder)] == list(range(1, 13))


def test_answered_within_two_steps(start: Any, helpers: Any, tmp_path: Path) -> None:
    """However seldom figures are written; steps of a second, as real ones."""
    folder = tmp_path / "run"
    run = start(
        folder, "--output.log_every=1000", "--evaluation.examples=0", faults={r: {"step_seconds": 1.0} for r in (0, 1)}
    )
    run.until(lambda: (folder / "state.json").exists())
    time.sleep(3.5)
    run.signal(signal.SIGTERM, 0)
    assert run.wait(60) == [75, 75], run.said
    state = helpers.state_of(folder)
    assert state["saved_step"] == state["step"] <= 6


def test_during_an_evaluation(start: Any, helpers: Any, tmp_path: Path) -> None:
    """It may take many minutes: it is broken off, and done by the next start."""
    folder = tmp_path / "run"
    slow = {rank: {"evaluation_seconds": 0.5} for rank in (0, 1)}
    run = start(folder, "--training.micro_batch_size=1", EVERY_STEP, faults=slow)
    run.until(lambda: (folder / "state.json").exists())
    run.signal(signal.SIGTERM)
    assert run.wait(60) == [75, 75], run.said
    assert not helpers.steps_of(folder)


@pytest.mark.parametrize("who", [(0,), (1,), (0, 1)], ids=["the first", "the second", "both"])
def test_killed_between_saves(
    start: Any, helpers: Any, undisturbed: Path, tmp_path: Path, who: tuple[int, ...]
) -> None:
    folder = tmp_path / "run"
    run = start(folder, EVERY_STEP, "--checkpoint.every=3", faults=SLOWLY)
    run.until_step(5)
    run.signal(signal.SIGKILL, *who)
    codes = run.wait(60)
    others = [rank for rank in (0, 1) if rank not in who]
    assert [codes[rank] for rank in others] == [75] * len(others), run.said
    if others:
        state = helpers.state_of(folder)
        assert state["status"] == "interrupted"
        assert f"rank {who[0]} on" in state["reason"]
        assert "Traceback" not in run.logs[others[0]].read_text()
    run = start(folder, EVERY_STEP, "--checkpoint.every=3")
    assert run.wait() == [0, 0], run.said
    assert helpers.same_weights(folder, undisturbed)


SAVE = "pretraining.run.checkpoint.save"
FILES = "pretraining.run.checkpoint.files"


@pytest.mark.parametrize(
    ("rank", "module", "function", "call"),
    [
        (1, SAVE, "_make_room", 2),
        (0, SAVE, "save_file", 2),
        (1, SAVE, "save_file", 2),
        (0, SAVE, "_complete", 2),
        (0, FILES, "write_manifest", 2),
        (0, FILES, "write_durably", 4),  # of `latest`: the second checkpoint has its name
        (0, FILES, "prune", 2),
    ],
)
def test_killed_during_a_save(
    start: Any, helpers: Any, undisturbed: Path, tmp_path: Path, rank: int, module: str, function: str, call: int
) -> None:
    folder = tmp_path / "run"
    often = (EVERY_STEP, "--checkpoint.every=2", "--checkpoint.keep=1")
    run = start(folder, *often, faults={rank: {"kill": [module, function, call]}})
    codes = run.wait(60)
    assert codes[rank] == -9, run.said
    assert codes[1 - rank] == 75, run.said
    run = start(folder, *often)
    assert run.wait() == [0, 0], run.said
    assert helpers.same_weights(folder, undisturbed)
    assert not list(folder.rglob("*.tmp"))


def test_three_interruptions_in_a_row(start: Any, helpers: Any, undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for step, number in ((2, signal.SIGTERM), (5, signal.SIGUSR1), (8, signal.SIGKILL)):
        run = start(folder, EVERY_STEP, "--checkpoint.every=2", faults=SLOWLY)
        run.until_step(step)
        run.signal(number)
        run.wait(60)
    run = start(folder, EVERY_STEP, "--checkpoint.every=2")
    assert run.wait() == [0, 0], run.said
    assert helpers.same_weights(folder, undisturbed)


def test_twenty_random_kills(start: Any, helpers: Any, undisturbed: Path, tmp_path: Path) -> None:
    """At any moment: while ranks join, load, train, save, evaluate, write the report."""
    folder, draw = tmp_path / "run", random.Random(4)
    saving = (EVERY_STEP, "--checkpoint.every=1", "--checkpoint.keep=2")
    kills = 0
    for _ in range(200):
        run = start(folder, *saving)
        victims = draw.choice([(0,), (1,), (0, 1)])
        deadline = time.monotonic() + draw.uniform(0.3, 6.0)
        while time.monotonic() < deadline and all(process.is_alive() for process in run.processes):
            time.sleep(0.01)
        if all(process.is_alive() for process in run.processes) and kills < 20:
            run.signal(signal.SIGKILL, *victims)
            kills += 1
            run.end_like_a_launcher()
        codes = run.wait(90)
        if codes == [0, 0]:
            if kills >= 20:
                break
            continue
        assert set(codes) <= {0, 75, -9}, run.said
    assert kills >= 20
    assert helpers.state_of(folder)["status"] == "finished"
    assert helpers.same_weights(folder, undisturbed)


def test_a_second_signal_ends_at_once(start: Any, helpers: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    slow = {rank: {"step_seconds": 60.0} for rank in (0, 1)}
    run = start(folder, "--evaluation.examples=0", faults=slow)
    run.until(lambda: (folder / "state.json").exists())
    time.sleep(1.0)  # in the first step
    run.signal(signal.SIGTERM)
    time.sleep(1.5)
    before = time.monotonic()
    run.signal(signal.SIGTERM)
    assert run.wait(60) == [75, 75], run.said
    assert time.monotonic() - before < 10
    assert "SIGTERM again: ended at once" in run.said


def test_the_launcher_is_stopped(shards: Path, helpers: Any, tmp_path: Path) -> None:
    """`deepspeed` passes SIGTERM to no one: its ranks notice that it is gone, save and end."""
    recipe, folder = tmp_path / "recipe.toml", tmp_path / "run"
    recipe.write_text(helpers.RECIPE)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("RANK", "WORLD_", "LOCAL_"))},
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [str(Path(sys.executable).with_name("deepspeed")), "--num_gpus", "2", "pretraining/main.py"]
    command += ["--config", str(recipe), f"--data.shards={shards}", f"--output.folder={folder}"]
    command += ["--training.steps=100000", EVERY_STEP]
    with (tmp_path / "log").open("w") as log:
        launcher = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 200
        while len(helpers.steps_of(folder)) < 3:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            assert launcher.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
        launcher.terminate()
        launcher.wait(30)
        deadline = time.monotonic() + 60
        while helpers.state_of(folder)["status"] == "running":
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        state = helpers.state_of(folder)
        assert (state["status"], state["reason"]) == ("interrupted", "the launcher is gone")
        assert state["saved_step"] == state["step"]
    finally:
        subprocess.run(["pkill", "-9", "-g", str(launcher.pid)], check=False)
