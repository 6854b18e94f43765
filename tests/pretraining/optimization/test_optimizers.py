"""AdamW and its groups of parameters."""

import copy

import pytest
import torch
from torch import nn

from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.optimization.lamb import Lamb
from pretraining.optimization.optimizers import UncorrectedAdamW, build_optimizer, split_parameters
from pretraining.optimization.options import OptimizerConfig


def test_biases_and_layer_norms_do_not_decay(small_config: BertConfig) -> None:
    model = BertForPreTraining(small_config)
    names = {parameter: name for name, parameter in model.named_parameters()}
    decayed, plain = split_parameters(model)
    assert {names[parameter].rsplit(".", 1)[1] for parameter in decayed} == {"weight"}
    assert not any("norm" in names[parameter] for parameter in decayed)
    assert all("norm" in names[parameter] or names[parameter].endswith("bias") for parameter in plain)
    assert len(decayed) + len(plain) == len(names)  # tied weights once


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({}, torch.optim.AdamW), ({"bias_correction": False}, UncorrectedAdamW), ({"name": "lamb"}, Lamb)],
)
def test_the_optimiser_follows_from_the_settings(
    settings: dict[str, object], kind: type, small_config: BertConfig
) -> None:
    optimizer = build_optimizer(BertForPreTraining(small_config), OptimizerConfig(**settings))
    assert type(optimizer) is kind
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]
    if kind is Lamb:
        assert [group["adapt"] for group in optimizer.param_groups] == [True, False]


@pytest.mark.parametrize("bias_correction", [True, False])
def test_two_steps_of_adamw_by_hand(bias_correction: bool) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    weight = copy.deepcopy(model.weight.data).double()
    config = OptimizerConfig(learning_rate=0.1, weight_decay=0.5, bias_correction=bias_correction)
    optimizer = build_optimizer(model, config)
    mean = square = torch.zeros_like(weight)
    for step in (1, 2):
        gradient = torch.randn(2, 3)
        model.weight.grad, model.bias.grad = gradient.clone(), torch.zeros(2)
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient.double()
        square = 0.999 * square + 0.001 * gradient.double() ** 2
        first, second = (1 - 0.9**step, 1 - 0.999**step) if bias_correction else (1.0, 1.0)
        weight = weight - 0.1 * (mean / first / ((square / second).sqrt() + 1e-6) + 0.5 * weight)
    torch.testing.assert_close(model.weight.data.double(), weight, atol=1e-6, rtol=1e-5)
