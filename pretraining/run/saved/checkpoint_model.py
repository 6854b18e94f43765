"""The model of a checkpoint, in one process and without the ranks that trained it."""

import torch
from torch import Tensor

from pretraining.model.bert import BertForPreTraining
from pretraining.run.checkpoint.reader import CheckpointReader
from pretraining.run.saved.saved_run import SavedRun, require_whole


def model_without_weights(run: SavedRun) -> BertForPreTraining:
    """The run's model on torch's `meta` device: its names and shapes."""
    with torch.device("meta"):
        return BertForPreTraining(run.model)


def checkpoint_weights(run: SavedRun) -> dict[str, Tensor]:
    """All weights by our names, float32, on the CPU. PretrainingError when the checkpoint is damaged."""
    require_whole(run.checkpoint)
    weights = CheckpointReader(run.checkpoint).weights()
    # Tensors that stand in the model twice are saved once.
    shared = _shared_names(model_without_weights(run))
    return weights | {name: weights[first] for name, first in shared.items() if name not in weights}


def checkpoint_model(run: SavedRun) -> BertForPreTraining:
    """The model with its weights, on the CPU. PretrainingError when the checkpoint is damaged."""
    model = BertForPreTraining(run.model)
    model.load_state_dict(checkpoint_weights(run))
    return model


def _shared_names(model: BertForPreTraining) -> dict[str, str]:
    """For every further name of a parameter its first one."""
    first: dict[int, str] = {}
    return {
        name: first[id(parameter)]
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if first.setdefault(id(parameter), name) != name
    }
