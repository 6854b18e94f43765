"""The model of `transformers`, and its optimiser, by our recipe."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.transformers_model import as_transformers
from preprocessing.shards import ShardSet
from pretraining.configuration.tables import Recipe
from pretraining.model.bert import BertForPreTraining
from pretraining.model.huggingface import import_bert
from pretraining.optimization.optimizers import build_optimizer
from pretraining.optimization.options import OptimizerConfig
from pretraining.run.initial_weights import initial_model


def peer_model(recipe: Recipe, sets: Sequence[ShardSet]) -> Any:
    """`transformers.BertForPreTraining` with sdpa attention, from the weights that a run of ours would start from."""
    torch.manual_seed(recipe.training.seed)  # as a run of ours does before it draws them
    return as_transformers(initial_model(recipe, sets))


def as_ours(model: Any) -> BertForPreTraining:
    """The same weights in our model."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return import_bert(Path(folder))


def peer_optimizer(model: torch.nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The recipe's as in a run of ours; what decays is the rule of the `Trainer` as well.

    Its rate is 1, to be multiplied by the schedule's.
    """
    return build_optimizer(model, config.model_copy(update={"learning_rate": 1.0}))
