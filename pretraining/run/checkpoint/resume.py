"""Finds the newest whole checkpoint and goes on from it, on any number of ranks and at any ZeRO stage."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.distributed as dist

from pretraining.data.sampler import Position
from pretraining.errors import PretrainingError
from pretraining.run.checkpoint import files
from pretraining.run.checkpoint.identity import Identity, accepted_changes, check_model, other_layout
from pretraining.run.checkpoint.loss_scale import restore_scaler
from pretraining.run.checkpoint.reader import CheckpointReader
from pretraining.run.checkpoint.slices import fill
from pretraining.run.trainer_state import TrainerState


def newest_complete(folder: Path) -> Path | None:
    """The newest checkpoint whose files all ranks find whole; None when there are no checkpoints. Collective.

    Damaged ones that are newer are set aside. PretrainingError when there are checkpoints and none is whole: starting
    anew without a word would throw away what can perhaps be restored.
    """
    rank, ranks = dist.get_rank(), dist.get_world_size()
    if rank == 0:
        files.take_in_finished(folder)
    agreed: list[Any] = [sorted(files.checkpoint_steps(folder), reverse=True) if rank == 0 else []]
    dist.broadcast_object_list(agreed, src=0)
    damaged: dict[int, str] = {}
    for step in agreed[0]:
        candidate = folder / f"step{step}"
        found: list[str | None] = [None] * ranks
        dist.all_gather_object(found, files.damaged_file(candidate, rank, ranks))
        wrong = next((name for name in found if name is not None), None)
        if wrong is None:
            if rank == 0:
                files.set_aside(folder, damaged, candidate.name)
            dist.barrier()
            return candidate
        damaged[step] = wrong
    if damaged:
        first = max(damaged)
        raise PretrainingError(
            f"{folder}: none of {files.steps_named(damaged)} is whole (step{first}/{damaged[first]} is missing, or not "
            "as manifest.json there says); restore one, choose another output.folder, or move them and metrics.jsonl "
            "away to start again at step 0"
        )
    return None


def load(
    engine: Any, checkpoint: Path, identity: Identity, allowed: tuple[str, ...]
) -> tuple[TrainerState, dict[str, list[Any]]]:
    """Puts weights, moments and scale back; collective. Returns the state, and the settings that changed since.

    PretrainingError when the checkpoint is of something else, or of another recipe in ways that `allowed` does not
    name.
    """
    reader = CheckpointReader(checkpoint)
    saved = Identity(**reader.trainer["identity"])
    changes = accepted_changes(checkpoint, saved, identity, allowed)
    if (layouts := other_layout(saved, identity)) and dist.get_rank() == 0:
        print(f"{checkpoint}: {layouts}: the same examples, sums are rounded otherwise", file=sys.stderr, flush=True)
    state = TrainerState.from_json(reader.trainer["state"])
    if state.step > identity.steps:
        raise PretrainingError(
            f"training.steps is {identity.steps} and {checkpoint} is {state.step} steps on; raise training.steps, or "
            "take its weights with python -m pretraining.export"
        )
    fill(engine, reader, reader.trainer["updates"])
    restore_scaler(engine, reader.trainer["loss_scaler"])
    engine.skipped_steps = reader.trainer["skipped_updates"]
    engine.global_steps = state.step
    if (saved.population, saved.shards) != (identity.population, identity.shards):
        state = replace(state, position=Position(), passed_over=())
    return state, changes


def take_over(engine: Any, run: Path, identity: Identity) -> None:
    """Weights, moments and their count from the newest whole checkpoint of another run of the same model. Collective.

    The next phase of a training: the optimiser goes on, while steps, schedule and order start anew.
    """
    newest = newest_complete(files.checkpoint_folder(run))
    if newest is None:
        raise PretrainingError(f"init.moments: {run} has no checkpoint to take the optimizer's moments from")
    reader = CheckpointReader(newest)
    check_model(newest, reader.trainer["identity"]["model"], identity.model)
    fill(engine, reader, reader.trainer["updates"])
