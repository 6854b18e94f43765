"""The model of `transformers`, and its optimiser, by our recipe."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from preprocessing.shards import ShardSet
from pretraining.configuration.tables import Recipe
from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import export_bert, import_bert
from pretraining.optimization.optimizers import split_parameters
from pretraining.optimization.options import OptimizerConfig
from pretraining.run.initial_weights import initial_model


def peer_model(recipe: Recipe, sets: Sequence[ShardSet]) -> Any:
    """`transformers.BertForPreTraining` with sdpa attention, from the weights that a run of ours would start from."""
    torch.manual_seed(recipe.training.seed)  # as a run of ours does before it draws them
    ours = initial_model(recipe, sets)
    with tempfile.TemporaryDirectory() as folder:
        export_bert(ours, Path(folder))
        model: Any = transformers.BertForPreTraining.from_pretrained(folder, attn_implementation="sdpa")
    return model.train()


def as_ours(model: Any) -> BertForPreTraining:
    """The same weights in our model."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return import_bert(Path(folder))


def peer_optimizer(model: torch.nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """torch's fused AdamW; biases and LayerNorm do not decay, which is the rule of the `Trainer` as well as ours.

    Its rate is 1, to be multiplied by the schedule's.
    """
    decayed, plain = split_parameters(model)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1.0, betas=(config.beta1, config.beta2), eps=config.epsilon, fused=True)
