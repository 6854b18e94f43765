"""Pretraining runs on a real Slurm that are hurt: a recipe, when to hurt them, and what they did."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from pretraining.run.checkpoint.reader import CheckpointReader

RECIPE = f"""{TINY_MODEL}shards = ["FOLDER/shards"]
[training]
steps = STEPS
batch_size = 16
micro_batch_size = 8
[evaluation]
examples = 8
[checkpoint]
every = 10
[output]
folder = "FOLDER/undisturbed"
export = false
tensorboard = false
peak_tflops = 1.0
"""
VARIABLES = {"PREFLIGHT": "0", "LOOK_SECONDS": "1", "REQUEUE_SECONDS": "3"}


def write_recipe(folder: Path, steps: int) -> Path:
    """A recipe with its shards; its run is `undisturbed` in the folder."""
    write_shards(folder / "shards", rows=500)
    file = folder / "recipe.toml"
    file.write_text(RECIPE.replace("FOLDER", str(folder)).replace("STEPS", str(steps)))
    return file


def state_of(run: Path) -> dict[str, Any]:
    file = run / "state.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def same_weights(one: Path, other: Path) -> bool:
    """Whether the weights of two runs are equal bit for bit."""
    expected, found = _weights_of(one), _weights_of(other)
    return expected.keys() == found.keys() and all(
        torch.equal(weight, found[name]) for name, weight in expected.items()
    )


def _weights_of(run: Path) -> dict[str, torch.Tensor]:
    latest = (run / "checkpoints" / "latest").read_text().strip()
    return CheckpointReader(run / "checkpoints" / latest).weights()


def losses_of(run: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "event" not in line}


def until(condition: Callable[[], bool], job: Any, held: psutil.Process | None = None) -> None:
    """Waits, for minutes at most. `held`: a process that gets a tenth of the time meanwhile."""
    deadline = time.monotonic() + 400
    while not condition():
        assert time.monotonic() < deadline, f"{job.now()}\n{job.said}"
        with suppress(psutil.NoSuchProcess):
            if held is not None:
                held.suspend()
                time.sleep(0.3)
                held.resume()
        time.sleep(0.03 if held else 0.1)


def trains(run: Path, job: Any, before: int) -> Callable[[], bool]:
    """Whether a later start than the one that was hurt last has saved a step of its own, before step `before`."""
    hurt = state_of(run)

    def has_saved() -> bool:
        now = state_of(run)
        if not now or now["start"] == hurt.get("start") or now["status"] != "running":
            return False
        assert now["step"] < before, "the run is over before it was hurt"
        return (now["saved_step"] or 0) > (hurt.get("saved_step") or 0)

    return has_saved


def has_left(now: dict[str, str], restarts: int) -> bool:
    """Whether nothing runs any more of the start that was hurt."""
    return now["JobState"] != "COMPLETING" and int(now["Restarts"]) > restarts
