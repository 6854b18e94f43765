"""Back to the last checkpoint, past the examples that made steps bad."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.distributed as dist

from pretraining.data.examples import Examples
from pretraining.data.sampler import Sampler
from pretraining.errors import PretrainingError
from pretraining.run.checkpoint.identity import Identity
from pretraining.run.checkpoint.resume import load, newest_complete
from pretraining.run.health.bad_steps import Rewind
from pretraining.run.trainer_state import TrainerState

PASSED_OVER = "passed_over.jsonl"


def go_back(
    engine: Any,
    wish: Rewind,
    checkpoints: Path,
    identity: Identity,
    state: TrainerState,
    rewinds: Sequence[int],
    most: int,
) -> TrainerState:
    """The state of the last checkpoint, loaded, with the bad steps' examples to be passed over. Collective.

    `state`: that before; `rewinds`: the steps that were gone back to so far. PretrainingError where there is no
    checkpoint, or going back to this one has not helped `most` times.
    """
    newest = newest_complete(checkpoints)
    advice = "lower optimizer.learning_rate, or look at the examples (accept the change with --checkpoint.allow)"
    if newest is None:
        raise PretrainingError(f"{wish.why}, and there is no checkpoint to go back to; {advice}")
    if rewinds.count(int(newest.name.removeprefix("step"))) >= most:
        raise PretrainingError(f"{wish.why}, after going back to {newest.name} {most} times; {advice}")
    restored, _ = load(engine, newest, identity, ())
    known = {*restored.passed_over, *state.passed_over, *wish.passed_over}
    ordered = tuple(sorted(known, key=lambda one: (one.start.epoch, one.start.index)))
    return replace(restored, passed_over=ordered)


def write_passed_over(folder: Path, wish: Rewind, sampler: Sampler, examples: Examples) -> None:
    """Adds the examples of the bad steps to ``passed_over.jsonl``: a line a step, with shard and row of each."""
    if dist.get_rank() != 0:
        return
    with (folder / PASSED_OVER).open("a", encoding="utf-8") as file:
        for step, one in zip(wish.steps, wish.passed_over, strict=True):
            numbers, _ = sampler.draw(one.start, one.count)
            where = [examples.place(int(number)) for number in numbers]
            line = {
                "step": step,
                "epoch": one.start.epoch,
                "index": one.start.index,
                "why": wish.why,
                "examples": [[str(path), row] for path, row in where],
            }
            file.write(json.dumps(line) + "\n")
    print(f"{wish.why}: back to the last checkpoint, past the examples in {PASSED_OVER}", file=sys.stderr, flush=True)
