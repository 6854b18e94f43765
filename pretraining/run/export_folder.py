"""The model as a Hugging Face folder, complete or absent: of a run that ends, or of a checkpoint."""

import glob
import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist

from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import export_state
from pretraining.run.saved.checkpoint_model import checkpoint_weights, model_without_weights
from pretraining.run.saved.model_card import describe_export
from pretraining.run.saved.saved_run import SavedRun


def export_run(
    weights: dict[str, torch.Tensor], model: BertForPreTraining, tokenizer_folder: Path, run_folder: Path, step: int
) -> None:
    """Writes ``run_folder/export`` on rank 0 from its full ``weights``, those after ``step``; collective."""
    if dist.get_rank() == 0:
        target = run_folder / "export"
        write_export(weights, model, tokenizer_folder, target, _description(run_folder, model, step, target))
    dist.barrier()


def export_checkpoint(run: SavedRun, tokenizer_folder: Path, target: Path) -> None:
    """Writes ``target`` from the run's checkpoint, in one process and without its ranks.

    PretrainingError when the checkpoint is damaged.
    """
    model = model_without_weights(run)
    step = int(run.checkpoint.name.removeprefix("step"))
    description = _description(run.folder, model, step, target)
    write_export(checkpoint_weights(run), model, tokenizer_folder, target, description)


def _description(run: Path, model: BertForPreTraining, step: int, target: Path) -> Callable[[Path], None]:
    return partial(describe_export, run=run, model=model.config, step=step, before=target)


def write_export(
    weights: dict[str, torch.Tensor],
    model: BertForPreTraining,
    tokenizer_folder: Path,
    target: Path,
    describe: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Writes the folder ``target`` from full ``weights``; what was there before goes when the new one is complete.

    ``describe`` adds to the new folder, before it gets its name, what says whose weights they are.
    """
    building, old = (target.with_name(f".{target.name}.{state}-{os.getpid()}") for state in ("building", "replaced"))
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*"):  # of an export that was killed
        if re.fullmatch(r"(building|replaced)-\d+", leftover.name.removeprefix(f".{target.name}.")):
            shutil.rmtree(leftover, ignore_errors=True)
    export_state(weights, model, building, tokenizer_folder)
    describe(building)
    if target.exists():
        target.rename(old)
    building.rename(target)
    shutil.rmtree(old, ignore_errors=True)
