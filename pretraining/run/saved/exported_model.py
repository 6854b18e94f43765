"""Held-out figures of an exported model, in one process and without DeepSpeed."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from preprocessing.progress import SILENT, Progress
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.errors import PretrainingError
from pretraining.model.huggingface import import_bert
from pretraining.model.packing import PackedBatch
from pretraining.run.engine import start_processes
from pretraining.run.evaluation import Figures, HeldOut
from pretraining.run.ranks import read_environment


class SingleModel(nn.Module):
    """What the evaluation wants of an engine, around a model that nothing distributes."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.module = model.to(device)
        self.device = device

    def forward(self, batch: PackedBatch) -> tuple[Tensor, ...]:
        return self.module(batch)


def evaluate(
    model: Path,
    shards: Sequence[Path],
    length: int,
    examples: int,
    batch_size: int,
    progress: Progress = SILENT,
) -> dict[str, Figures]:
    """Figures under "all" and each source. Raises `PretrainingError` where the model and the shards do not fit."""
    bert = import_bert(model)
    sets = open_shard_sets(shards, length, bert.config.vocab_size)
    if length > bert.config.max_position_embeddings:
        raise PretrainingError(
            f"{model} has {bert.config.max_position_embeddings} positions, too few for shards of length {length}; "
            "choose a smaller --sequence-length"
        )
    device = start_processes(read_environment())
    held_out = HeldOut(Examples(sets, "heldout", length), examples, batch_size)
    if not len(held_out):
        raise PretrainingError(f"{shards[0]} has no held-out examples; build it with a larger --heldout-fraction")
    return held_out.evaluate(SingleModel(bert, device), progress)
