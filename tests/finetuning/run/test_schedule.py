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


@pytest.mark.parametrize("corrected", [True, False])
def test_adam_equals_its_formula(corrected: bool) -> None:
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
    optimiser = optimiser_for(model, spec, fused=False)
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
