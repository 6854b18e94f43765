"""The finished model as a Hugging Face folder, complete or absent."""

import shutil
from pathlib import Path

import torch
import torch.distributed as dist

from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import export_state


def export_run(
    weights: dict[str, torch.Tensor], model: BertForPreTraining, tokenizer_folder: Path, run_folder: Path
) -> None:
    """Writes ``run_folder/export`` on rank 0 from its full ``weights``; collective."""
    if dist.get_rank() == 0:
        building, target, old = run_folder / "export.tmp", run_folder / "export", run_folder / "export.old"
        for leftover in (building, old):
            shutil.rmtree(leftover, ignore_errors=True)
        export_state(weights, model, building, tokenizer_folder)
        if target.exists():
            target.rename(old)
        building.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    dist.barrier()
