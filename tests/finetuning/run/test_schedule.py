"""Learning rate and Adam, against their formulas."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from finetuning.run.schedule import learning_rate_at, optimiser_for, set_step
from finetuning.run.specification import RunSpec


def test_the_rate_rises_and_falls_without_a_jump() -> None:
    rates = [learning_rate_at(step, 100, 2.0, 0.1) for step in range(1, 101)]
    assert rates[9] == 2.0 == max(rates)
    assert rates[:10] == pytest.approx([0.2 * n for n in range(1, 11)])
    falls = [a - b for a, b in pairwise(rates[9:])]
    assert falls == pytest.approx([falls[0]] * len(falls))
    assert rates[-1] > 0
    assert [learning_rate_at(step, 2, 1.0, 0.0) for step in (1, 2)] == [pytest.approx(1.0), pytest.approx(0.5)]


def test_the_defaults_warm_up_for_a_tenth_and_fall_to_zero() -> None:
    """The step behind the last would have rate 0."""
    spec = RunSpec(task="cola", model="m", output=Path("o"))
    rates = [learning_rate_at(step, 25, spec.learning_rate, spec.warmup_share) for step in range(1, 27)]
    assert rates == pytest.approx([1e-5, 2e-5, *(3e-5 * (26 - step) / 23 for step in range(3, 27))], abs=1e-18)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("corrected", [True, False])
def test_adam_equals_its_formula(corrected: bool, fused: bool) -> None:
    spec = RunSpec(
        task="cola",
        model="m",
        output=Path("o"),
        learning_rate=0.01,
        weight_decay=0.1,
        bias_correction=corrected,
        adam_epsilon=1e-3,
    )
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    own = {name: parameter.detach().clone().double() for name, parameter in model.named_parameters()}
    first = {name: torch.zeros_like(value) for name, value in own.items()}
    second = {name: torch.zeros_like(value) for name, value in own.items()}
    optimiser = optimiser_for(model, spec, fused=fused)
    for step in range(1, 8):
        rate = set_step(optimiser.param_groups, spec, step, 10)
        assert rate == learning_rate_at(step, 10, 0.01, 0.1)
        for name, parameter in model.named_parameters():
            parameter.grad = torch.randn_like(parameter)
            gradient = parameter.grad.double()
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            c1, c2 = (1 - 0.9**step, 1 - 0.999**step) if corrected else (1.0, 1.0)
            update = (first[name] / c1) / ((second[name] / c2).sqrt() + 1e-3)
            decay = 0.1 if name == "weight" else 0.0
            own[name] = own[name] - rate * (update + decay * own[name])
        optimiser.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach().double(), own[name], atol=1e-6, rtol=1e-5)


def test_a_run_without_warm_up_starts_at_the_peak_and_one_of_warm_up_alone_ends_there() -> None:
    assert [learning_rate_at(step, 4, 8.0, 0.0) for step in (1, 2, 3, 4)] == [8.0, 6.0, 4.0, 2.0]
    assert [learning_rate_at(step, 4, 8.0, 1.0) for step in (1, 2, 3, 4)] == [2.0, 4.0, 6.0, 8.0]
    assert [learning_rate_at(step, 5, 8.0, 0.25) for step in (1, 2, 3, 4, 5)] == [4.0, 8.0, 6.0, 4.0, 2.0]


def test_matrices_decay_and_what_is_frozen_does_not_train() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 2), nn.Embedding(4, 2))
    model[2].requires_grad_(False)
    spec = RunSpec(
        task="cola",
        model="m",
        output=Path("o"),
        learning_rate=0.25,
        weight_decay=0.125,
        adam_beta1=0.5,
        adam_beta2=0.75,
        adam_epsilon=0.0625,
    )
    for fused in (True, False):
        optimiser = optimiser_for(model, spec, fused=fused)
        decayed, others = optimiser.param_groups
        assert [id(parameter) for parameter in decayed["params"]] == [id(model[0].weight), id(model[3].weight)]
        assert {id(parameter) for parameter in others["params"]} == {
            id(model[0].bias),
            *map(id, model[1].parameters()),
        }
        assert (decayed["decayed"], others["decayed"]) == (True, False)
        for group in optimiser.param_groups:
            assert (group["lr"], group["betas"], group["eps"]) == (0.25, (0.5, 0.75), 0.0625)
            assert (group["weight_decay"], group["fused"]) == (0.125, fused)


def test_a_step_sets_what_its_groups_are_told() -> None:
    spec = RunSpec(
        task="cola",
        model="m",
        output=Path("o"),
        learning_rate=1.0,
        weight_decay=0.5,
        warmup_share=0.0,
        adam_beta1=0.5,
        adam_beta2=0.75,
        adam_epsilon=0.125,
    )
    groups = [{"decayed": True}, {"decayed": False}]
    plain = spec.model_copy(update={"bias_correction": True})
    assert set_step(groups, plain, 2, 4) == 0.75
    assert groups[0] == {"decayed": True, "lr": 0.75, "eps": 0.125, "weight_decay": 0.5}
    assert groups[1] == {"decayed": False, "lr": 0.75, "eps": 0.125, "weight_decay": 0.0}
    assert set_step(groups, spec.model_copy(update={"bias_correction": False}), 1, 4) == 1.0
    # c1 = 1 - 0.5, c2 = √(1 - 0.75) = 0.5
    assert groups[0] == {"decayed": True, "lr": 1.0, "eps": 0.25, "weight_decay": 0.5}
    assert set_step(groups, spec.model_copy(update={"bias_correction": False}), 2, 4) == 0.75
    correction = 0.75 / (1 - 0.75**2) ** 0.5
    assert groups[0]["lr"] == pytest.approx(0.75 * correction)
    assert groups[0]["weight_decay"] == pytest.approx(0.5 / correction)
