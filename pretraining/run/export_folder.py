"""The model as a Hugging Face folder, complete or absent: of a run that ends, or of a checkpoint."""

import glob
import os
import re
import shutil
from pathlib import Path

import torch
import torch.distributed as dist

from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import export_state
from pretraining.run.checkpoint.reader import CheckpointReader
from pretraining.run.saved.saved_run import SavedRun, require_whole


def export_run(
    weights: dict[str, torch.Tensor], model: BertForPreTraining, tokenizer_folder: Path, run_folder: Path
) -> None:
    """Writes ``run_folder/export`` on rank 0 from its full ``weights``; collective."""
    if dist.get_rank() == 0:
        write_export(weights, model, tokenizer_folder, run_folder / "export")
    dist.barrier()


def export_checkpoint(run: SavedRun, tokenizer_folder: Path, target: Path) -> None:
    """Writes ``target`` from the run's checkpoint, in one process and without its ranks.

    PretrainingError when the checkpoint is damaged.
    """
    require_whole(run.checkpoint)
    with torch.device("meta"):  # only its names are needed
        model = BertForPreTraining(run.model)
    weights = CheckpointReader(run.checkpoint).weights()
    # Tensors that stand in the model twice are saved once.
    weights |= {name: weights[first] for name, first in _shared_names(model).items() if name not in weights}
    write_export(weights, model, tokenizer_folder, target)


def write_export(
    weights: dict[str, torch.Tensor], model: BertForPreTraining, tokenizer_folder: Path, target: Path
) -> None:
    """Writes the folder ``target`` from full ``weights``; what was there before goes when the new one is complete."""
    building, old = (target.with_name(f".{target.name}.{state}-{os.getpid()}") for state in ("building", "replaced"))
    for leftover in target.parent.glob(f".{glob.escape(target.name)}.*"):  # of an export that was killed
        if re.fullmatch(r"(building|replaced)-\d+", leftover.name.removeprefix(f".{target.name}.")):
            shutil.rmtree(leftover, ignore_errors=True)
    export_state(weights, model, building, tokenizer_folder)
    if target.exists():
        target.rename(old)
    building.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _shared_names(model: BertForPreTraining) -> dict[str, str]:
    """For every further name of a parameter its first one."""
    first: dict[int, str] = {}
    return {
        name: first[id(parameter)]
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if first.setdefault(id(parameter), name) != name
    }
