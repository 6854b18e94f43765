"""AdamW and its groups of parameters."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.optimization.lamb import Lamb
from pretraining.optimization.optimizers import (
    MOMENTS,
    UncorrectedAdamW,
    build_optimizer,
    fresh_state,
    split_parameters,
)
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


@pytest.mark.parametrize("settings", [{}, {"bias_correction": False}, {"name": "lamb"}])
def test_the_settings_reach_the_optimiser(settings: dict[str, Any]) -> None:
    given = {"learning_rate": 0.25, "beta1": 0.5, "beta2": 0.75, "epsilon": 0.125, "weight_decay": 0.375}
    optimizer = build_optimizer(nn.Linear(3, 2), OptimizerConfig(**given, **settings))
    for group in optimizer.param_groups:
        assert (group["lr"], group["betas"], group["eps"]) == (0.25, (0.5, 0.75), 0.125)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.375, 0.0]
    assert [[parameter.dim() for parameter in group["params"]] for group in optimizer.param_groups] == [[2], [1]]


def test_lamb_is_told_whether_to_correct_its_moments() -> None:
    for wanted in (True, False):
        optimizer = build_optimizer(nn.Linear(3, 2), OptimizerConfig(name="lamb", bias_correction=wanted))
        assert [group["bias_correction"] for group in optimizer.param_groups] == [wanted, wanted]


def test_adamw_is_torchs_fused_one() -> None:
    optimizer = build_optimizer(nn.Linear(3, 2), OptimizerConfig())
    assert [group["fused"] for group in optimizer.param_groups] == [True, True]


@pytest.mark.parametrize("settings", [{}, {"bias_correction": False}, {"name": "lamb"}])
def test_a_fresh_state_is_what_the_optimiser_keeps_itself(settings: dict[str, Any]) -> None:
    """A step from the fresh state after no update equals a first step; after 7 updates its count is 7."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    other = copy.deepcopy(model)
    optimizers = [build_optimizer(part, OptimizerConfig(**settings)) for part in (model, other)]
    gradients = [torch.randn_like(parameter) for parameter in model.parameters()]
    for part, optimizer in zip((model, other), optimizers, strict=True):
        for parameter, gradient in zip(part.parameters(), gradients, strict=True):
            parameter.grad = gradient.clone()
            if part is other:
                optimizer.state[parameter] = fresh_state(optimizer, parameter, 0)
        optimizer.step()
    for parameter, same in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(same, parameter, rtol=0, atol=0)
        kept, given = optimizers[0].state[parameter], optimizers[1].state[same]
        assert set(kept) == set(given) == {*MOMENTS, *([] if settings == {"bias_correction": False} else ["step"])}
        for name, value in kept.items():
            assert (value.dtype, value.device, value.shape) == (
                given[name].dtype,
                given[name].device,
                given[name].shape,
            )
        later = fresh_state(optimizers[0], parameter, 7)
        assert [later[name].abs().sum().item() for name in MOMENTS] == [0.0, 0.0]
        assert "step" not in later or later["step"].item() == 7.0


def test_moments_lie_in_memory_as_their_parameter_does() -> None:
    parameter = nn.Parameter(torch.zeros(3, 2).t())
    state = fresh_state(build_optimizer(nn.Linear(3, 2), OptimizerConfig()), parameter, 0)
    assert [state[name].stride() for name in MOMENTS] == [parameter.stride()] * 2


def test_frozen_parameters_are_in_no_group() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 2))
    model[2].requires_grad_(False)
    decayed, plain = split_parameters(model)
    assert [id(parameter) for parameter in decayed] == [id(model[0].weight)]
    assert {id(parameter) for parameter in plain} == {id(model[0].bias), *map(id, model[1].parameters())}


def test_uncorrected_adamw_leaves_what_has_no_gradient() -> None:
    first, second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = UncorrectedAdamW([first, second], lr=0.1, betas=(0.9, 0.999), eps=1e-6)
    second.grad = torch.ones(2)
    optimizer.step()
    assert first.tolist() == [1.0, 1.0]
    assert second[0].item() == pytest.approx(1 - 0.1 * 0.1 / (0.001**0.5 + 1e-6), rel=1e-5)
    assert optimizer.param_groups[0]["weight_decay"] == 0.0


@pytest.mark.parametrize(("settings", "place"), [({}, "meta"), ({"name": "lamb"}, "cpu")])
def test_the_count_of_a_fresh_state_lies_where_its_optimiser_reads_it(settings: dict[str, Any], place: str) -> None:
    optimizer = build_optimizer(nn.Linear(3, 2), OptimizerConfig(**settings))
    parameter = nn.Parameter(torch.zeros(3, 2, device="meta"))
    torch.set_default_dtype(torch.float64)
    try:
        state = fresh_state(optimizer, parameter, 7)
    finally:
        torch.set_default_dtype(torch.float32)
    assert (state["step"].device.type, state["step"].dtype) == (place, torch.float32)
    assert [(state[name].device.type, state[name].dtype) for name in MOMENTS] == [("meta", torch.float32)] * 2
