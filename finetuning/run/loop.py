"""The one loop that every kind of task shares, and the forward pass over a whole split."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from finetuning.kinds.batches import collate, keyed, micro_batches, prediction_batches, training_batches
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.model import TaskModel
from finetuning.run.engine import Engine, engine_for, merge_by_item
from finetuning.run.precision import precision_on
from finetuning.run.ranks import Ranks
from finetuning.run.resume.interruption import interruption
from finetuning.run.resume.saved_training import Position, SavedTraining
from finetuning.run.specification import RunSpec
from preprocessing.progress import SILENT, Count, Progress


@dataclass
class Trained:
    """What training tells afterwards."""

    seconds_per_epoch: float = 0.0
    train_loss: float = math.nan
    diverged: bool = False
    stopped_early: bool = False
    epoch_scores: list[float] = field(default_factory=list)


def train(
    model: TaskModel,
    split: EncodedSplit,
    spec: RunSpec,
    ranks: Ranks,
    score_epoch: Callable[[], float] | None = None,
    majority: float = -math.inf,
    saved: SavedTraining | None = None,
    progress: Progress = SILENT,
) -> Trained:
    """Train in place.

    Args:
        model: the model; its weights are those of the first rank.
        split: the training split.
        spec: hyperparameters.
        ranks: the processes that share each batch.
        score_epoch: scores the dev split; called after epochs where `spec` asks for it.
        majority: a score at or below it is a failed run.
        saved: where training goes on from.
        progress: shows the steps.

    Raises:
        KeyboardInterrupt: the process was asked to end. `saved` can be written then, as at any time afterwards.
    """
    per_epoch = math.ceil(split.items / spec.batch_size)
    steps = max(1, math.ceil(per_epoch * spec.epochs))
    engine = engine_for(model, spec, steps, ranks)
    # For dropout on a GPU, which has no keys: ranks draw different masks, from states that depend on the seed alone.
    torch.manual_seed(spec.seed * 1009 + ranks.rank)
    at = Position() if saved is None else saved.restore(engine)
    trained = Trained(epoch_scores=at.epoch_scores)
    with progress.count("train", steps, "steps") as count:
        count.reach(at.step, steps)
        for epoch in range(at.epoch, math.ceil(spec.epochs)):
            model.train()
            with interruption.deferred():
                at.begin_epoch(epoch)
                loss = _epoch(engine, model, split, spec, ranks, at, steps, count)
            losses = ranks.gather(loss)
            trained.train_loss = sum(losses) / max(at.epoch_steps, 1)
            trained.diverged = not math.isfinite(trained.train_loss)
            trained.seconds_per_epoch = at.seconds / at.step * per_epoch
            is_check = spec.stop_failed_after == epoch + 1 and at.step < steps
            if score_epoch is not None and not trained.diverged and (spec.evaluate_every_epoch or is_check):
                if not at.is_scored:
                    trained.epoch_scores.append(score_epoch())
                    at.is_scored = True
                trained.stopped_early = is_check and trained.epoch_scores[-1] <= majority
            if trained.diverged or trained.stopped_early:
                break
    return trained


def _epoch(
    engine: Engine,
    model: TaskModel,
    split: EncodedSplit,
    spec: RunSpec,
    ranks: Ranks,
    at: Position,
    steps: int,
    count: Count,
) -> float:
    """What is left of an epoch, or as much of it as there is time for; returns this rank's share of its loss.

    `at` is moved on.
    """
    # On the device: fetching every loss would make each step wait for it.
    epoch_loss = torch.tensor(at.epoch_loss, dtype=torch.float64, device=ranks.device)
    began = time.perf_counter()
    batches = training_batches(split, spec.batch_size, spec.seed, at.epoch, group_by_length=spec.group_by_length)
    for items in islice(batches, at.epoch_steps, None):
        if at.step == steps or interruption.asked:
            break
        at.step += 1
        at.epoch_steps += 1
        epoch_loss += _step(engine, model, split, items, spec, ranks, at.epoch)
        engine.step(at.step)
        count.advance()
    # One look per epoch: a loss that is once not finite stays so. It waits for the device, so it is timed too.
    at.epoch_loss = float(epoch_loss)
    at.seconds += time.perf_counter() - began
    return at.epoch_loss


def _step(
    engine: Engine,
    model: TaskModel,
    split: EncodedSplit,
    items: NDArray[np.int64],
    spec: RunSpec,
    ranks: Ranks,
    epoch: int,
) -> torch.Tensor:
    """Forward and backward over one batch; returns its loss, this rank's share."""
    # The count of the whole batch: gradients do not depend on how it is cut into ranks and forward passes.
    count = max(model.kind.label_count(split, items), 1)
    total = torch.zeros((), dtype=torch.float64, device=ranks.device)
    passes = micro_batches(split, items, spec.micro_batch_pieces, ranks.count)
    for index, shares in enumerate(passes):
        share, weight = shares[ranks.rank], 1.0
        if not len(share):
            # Every rank takes part in every reduction; this one adds nothing to it.
            share, weight = items[:1], 0.0
        batch = collate(split, share)
        batch = keyed(batch, split, spec.seed, epoch) if ranks.device.type == "cpu" else batch.to(ranks.device)
        with autocast(spec, ranks.device):
            logits = model(batch)
        loss = model.kind.loss_sum(logits, batch) * (weight / count)
        engine.backward(loss, is_last=index == len(passes) - 1)
        total = total + loss.detach().double()
    return total


@torch.no_grad()
def predict(
    model: TaskModel, split: EncodedSplit, spec: RunSpec, ranks: Ranks, progress: Progress = SILENT
) -> NDArray[np.float32]:
    """Logits of a whole split in its order, float32, on every rank; shapes as `TaskModel.forward`."""
    was_training = model.training
    model.eval()
    sizes = model.kind.logits_of_items(split)
    batches: list[NDArray[np.int64]] = []
    found: list[torch.Tensor] = []  # on the device until all are there: each look would wait for it
    with progress.count("answer", split.items, "sequences") as count:
        for number, items in enumerate(prediction_batches(split, spec.micro_batch_pieces)):
            if number % ranks.count == ranks.rank:
                with autocast(spec, ranks.device):
                    logits = model(collate(split, items).to(ranks.device))
                batches.append(items)
                found.append(logits.float())
            count.advance(len(items))
    # In one copy, and apart again: they differ in length.
    on_host = torch.cat(found).cpu().split([len(logits) for logits in found]) if found else ()
    parts = [(items, logits.numpy()) for items, logits in zip(batches, on_host, strict=True)]
    model.train(was_training)
    gathered = [part for share in ranks.gather(parts) for part in share]
    if not gathered:  # sentences without words have no sequences
        return np.zeros((0, model.head.out_features), np.float32)
    return merge_by_item(gathered, sizes)


@contextlib.contextmanager
def autocast(spec: RunSpec, device: torch.device) -> Iterator[None]:
    """bf16 matrix products where the specification or the device wants them; weights stay float32."""
    is_bf16 = precision_on(spec.precision, device) == "bf16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_bf16):
        yield
