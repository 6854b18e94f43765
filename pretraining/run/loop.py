"""The training loop."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from pretraining.data.loader import GlobalBatch
from pretraining.optimization.schedules import Schedule
from pretraining.run.engine import set_learning_rate
from pretraining.run.health.finite import spoiling
from pretraining.run.step_seed import seed_step
from pretraining.run.trainer_state import TrainerState


class Watcher(Protocol):
    """What the loop tells the outside after every step; it may ask the loop to end."""

    def after_step(self, state: TrainerState, step: "Step") -> bool:
        """Called on every rank; True ends the loop."""


@dataclass(frozen=True)
class Step:
    """What one optimiser step did. ``sums`` stay on the device: reading them would make the host wait for it."""

    batch: GlobalBatch
    sums: Tensor  # float64 [4] of this rank: MLM loss, NSP loss, MLM correct, NSP correct
    learning_rate: float
    seconds: float
    wait_seconds: float  # for data


def train(
    engine: Any,
    batches: Iterator[GlobalBatch],
    schedule: Schedule,
    state: TrainerState,
    ranks: int,
    seed: int,
    watcher: Watcher,
) -> TrainerState:
    """Runs until the schedule or the ``watcher`` ends it; returns the state after the last step.

    ``seed`` is that of dropout where it draws from torch's generators.
    """
    engine.train()
    rank = dist.get_rank()
    while not schedule.is_over(state.step, state.agreed_seconds):
        started = time.perf_counter()
        batch = next(batches)
        wait = time.perf_counter() - started
        rate = schedule.rate(state.step, state.agreed_seconds)
        set_learning_rate(engine, rate)
        seed_step(seed, state.step, rank)
        sums = train_step(engine, batch, ranks)
        if schedule.config.seconds is not None and engine.device.type == "cuda":
            torch.cuda.synchronize()  # what is still queued belongs to this step's share of the time
        seconds = time.perf_counter() - started
        state = state.after(batch, seconds)
        if schedule.config.seconds is not None:
            state = replace(state, agreed_seconds=agreed(state.seconds, engine.device))
        if watcher.after_step(state, Step(batch, sums, rate, seconds, wait)):
            break
    return state


def agreed(seconds: float, device: torch.device) -> float:
    """Rank 0's reading of the clock, so that all ranks take the same learning rate and end together."""
    reading = torch.full((1,), seconds, dtype=torch.float64, device=device)
    dist.broadcast(reading, src=0)
    return float(reading.item())


def train_step(engine: Any, batch: GlobalBatch, ranks: int) -> Tensor:
    """One optimiser step over this rank's micro-batches; returns its four sums (see ``Step``).

    Every micro-batch is divided by counts of the whole global batch, so the gradient is that of the mean over the
    global batch however it is cut. DeepSpeed divides gradients by the number of ranks, which the factor ``ranks``
    undoes, and would divide the loss by the accumulation steps, which ``scale_wrt_gas=False`` leaves out. A loss that
    is not finite spoils the gradient, so that the update is left out on all ranks.
    """
    totals = torch.zeros(4, dtype=torch.float64, device=engine.device)
    for micro_batch in batch.micro_batches:
        sums = engine(micro_batch.to(engine.device, non_blocking=True))
        loss = sums.loss(batch.masked_tokens, batch.sequences)
        engine.backward(loss * (ranks * spoiling(loss)), scale_wrt_gas=False)
        engine.step()
        totals += torch.stack([value.detach().double() for value in sums[:4]])
    return totals
