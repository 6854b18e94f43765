"""The peer starts where ours starts, and its optimiser has the recipe's settings."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from transformers import Trainer

from benchmarks.transformers_pretraining.peer import as_ours, peer_model, peer_optimizer
from benchmarks.transformers_pretraining.records import Collator, Records
from benchmarks.transformers_pretraining.settings import Settings
from preprocessing.shards import ShardSet
from pretraining.data.examples import Examples
from pretraining.run.initial_weights import initial_model

NO_DROPOUT = ("--set", "model.hidden_dropout_prob=0", "--set", "model.attention_probs_dropout_prob=0")


@pytest.mark.parametrize("scheme", ["published", "neighbours"])
def test_the_first_loss_is_ours(settings: Callable[..., Settings], sets: list[ShardSet], scheme: str) -> None:
    recipe = settings("--init", scheme, *NO_DROPOUT).recipe
    theirs, rows = peer_model(recipe, sets), list(range(20, 40))
    torch.manual_seed(recipe.training.seed)
    ours = initial_model(recipe, sets)
    with torch.no_grad():
        sums = ours(Examples(sets, "train", 32).pack(np.array(rows)))
        found = theirs(**Collator(sets, 32, dynamic=False, seed=1)(Records(sets, 32).__getitems__(rows))).loss
    assert theirs.training
    assert theirs.config._attn_implementation == "sdpa"
    assert float(found) == pytest.approx(float(sums.loss(sums.masked_tokens, sums.sequences)), abs=1e-5)
    for name, tensor in as_ours(theirs).state_dict().items():
        assert torch.equal(tensor, ours.state_dict()[name]), name


def test_dropout_is_the_recipes(settings: Callable[..., Settings], sets: list[ShardSet]) -> None:
    model = peer_model(settings("--set", "model.hidden_dropout_prob=0.25").recipe, sets)
    assert (model.config.hidden_dropout_prob, model.config.attention_probs_dropout_prob) == (0.25, 0.1)


def test_the_optimizer(settings: Callable[..., Settings], sets: list[ShardSet]) -> None:
    recipe = settings("--set", "optimizer.weight_decay=0.05", "--set", "optimizer.beta2=0.98").recipe
    model = peer_model(recipe, sets)
    decayed, plain = peer_optimizer(model, recipe.optimizer).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"], decayed["lr"]) == (0.05, 0.0, 1.0)
    assert (decayed["betas"], decayed["eps"], decayed["fused"]) == ((0.9, 0.98), 1e-6, True)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    trainers = Trainer.get_decay_parameter_names(None, model)  # type: ignore[arg-type]
    assert sorted(names[id(one)] for one in decayed["params"]) == sorted(set(trainers) & set(names.values()))
    assert len(decayed["params"]) + len(plain["params"]) == len(names)
