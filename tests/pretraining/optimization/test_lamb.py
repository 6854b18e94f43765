"""LAMB by hand, on whole and on cut-up parameters; and what it refuses."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from pretraining.errors import PretrainingError
from pretraining.optimization.lamb import FlatLayout, Lamb, Segment
from pretraining.optimization.lamb_layout import _layout, attach_lamb
from pretraining.optimization.zero_layout import FlatGroup, Part


def expected_step(
    weight: torch.Tensor, gradients: list[torch.Tensor], decay: float, adapt: bool, corrected: bool = True
) -> tuple[torch.Tensor, float]:
    """Algorithm 2 of You et al. in float64, learning rate 0.1; returns the weight and the last ratio."""
    weight = weight.double()
    mean = square = torch.zeros_like(weight)
    ratio = 1.0
    for step, gradient in enumerate(gradients, start=1):
        mean = 0.9 * mean + 0.1 * gradient.double()
        square = 0.999 * square + 0.001 * gradient.double() ** 2
        first, second = (1 - 0.9**step, 1 - 0.999**step) if corrected else (1.0, 1.0)
        update = mean / first / ((square / second).sqrt() + 1e-6) + decay * weight
        if adapt:
            ratio = float(weight.norm() / update.norm()) if weight.norm() > 0 and update.norm() > 0 else 1.0
        weight = weight - 0.1 * ratio * update
    return weight, ratio


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize(("decay", "adapt"), [(0.1, True), (0.0, True), (0.0, False)])
def test_two_steps_by_hand(decay: float, adapt: bool, corrected: bool) -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(4, 3))
    start, gradients = weight.detach().clone(), [torch.randn(4, 3), torch.randn(4, 3)]
    group = {"params": [weight], "weight_decay": decay, "adapt": adapt}
    lamb = Lamb([group], lr=0.1, bias_correction=corrected)
    for gradient in gradients:
        weight.grad = gradient.clone()
        lamb.step()
    expected, ratio = expected_step(start, gradients, decay, adapt, corrected)
    torch.testing.assert_close(weight.detach().double(), expected, atol=1e-6, rtol=1e-6)
    if adapt:
        assert lamb.trust_ratios[weight].tolist() == pytest.approx([ratio], rel=1e-6)


def test_stacked_matrices_have_their_own_ratios() -> None:
    torch.manual_seed(0)
    stacked = nn.Parameter(torch.randn(6, 2) * torch.tensor([1.0, 1, 5, 5, 9, 9])[:, None])
    stacked.stacked = 3  # type: ignore[attr-defined]
    start, gradient = stacked.detach().clone(), torch.randn(6, 2)
    lamb = Lamb([stacked], lr=0.1)
    stacked.grad = gradient.clone()
    lamb.step()
    for block in range(3):
        rows = slice(2 * block, 2 * block + 2)
        expected, ratio = expected_step(start[rows], [gradient[rows]], 0.01, True)
        torch.testing.assert_close(stacked.detach()[rows].double(), expected, atol=1e-6, rtol=1e-6)
        assert lamb.trust_ratios[stacked][block].item() == pytest.approx(ratio, rel=1e-6)


def test_a_weight_of_zeros_takes_an_adam_step() -> None:
    weight = nn.Parameter(torch.zeros(3))
    lamb = Lamb([weight], lr=0.1)
    weight.grad = torch.ones(3)
    lamb.step()
    torch.testing.assert_close(weight.detach(), torch.full((3,), -0.1), atol=1e-6, rtol=0)


def test_a_flat_tensor_is_scaled_segment_by_segment_and_padding_counts_for_nothing() -> None:
    torch.manual_seed(0)
    flat = nn.Parameter(torch.cat([torch.randn(4), torch.randn(3) * 7, torch.full((2,), 1e6)]))
    start, gradient = flat.detach().clone(), torch.randn(9)
    lamb = Lamb([nn.Parameter(torch.zeros(1))], lr=0.1)
    lamb.param_groups[0]["params"] = [flat]
    layout = FlatLayout((Segment(0, 0, 4), Segment(2, 4, 3)), 3, None, flat.device)
    lamb.layout_of = lambda tensor: layout
    flat.grad = gradient.clone()
    lamb.step()
    for part in (slice(0, 4), slice(4, 7)):
        expected, _ = expected_step(start[part], [gradient[part]], 0.01, True)
        torch.testing.assert_close(flat.detach()[part].double(), expected, atol=1e-6, rtol=1e-6)


def test_parts_are_cut_where_a_stacked_matrix_ends() -> None:
    plain, stacked = nn.Parameter(torch.zeros(5)), nn.Parameter(torch.zeros(6, 2))
    stacked.stacked = 3  # type: ignore[attr-defined]
    parts = (None, Part(3, 10, 0), Part(0, 2, 7))
    layout = _layout(FlatGroup(torch.zeros(9), (plain, stacked, plain), parts, None), torch.device("cpu"))
    assert layout.owners == 5
    assert layout.segments == (Segment(1, 0, 1), Segment(2, 1, 4), Segment(3, 5, 2), Segment(4, 7, 2))


def test_a_tensor_of_unknown_content_is_refused() -> None:
    weight, flat = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    lamb = Lamb([weight], lr=0.1)
    lamb.param_groups[0]["params"] = [flat]
    flat.grad = torch.ones(3)
    with pytest.raises(PretrainingError, match="call attach_lamb"):
        lamb.step()


class UnknownWrapper(SimpleNamespace):
    """Stands for a DeepSpeed optimiser whose layout is not known."""


@pytest.mark.parametrize("name", ["FP16_UnfusedOptimizer", "BF16_Optimizer", "MiCS_Optimizer"])
def test_a_wrapper_without_shown_equality_is_refused(name: str) -> None:
    wrapper: Any = type(name, (UnknownWrapper,), {})(optimizer=Lamb([nn.Parameter(torch.ones(1))], lr=0.1))
    with pytest.raises(PretrainingError, match=f"DeepSpeed's {name} is not known here"):
        attach_lamb(SimpleNamespace(optimizer=wrapper, device=torch.device("cpu")))


def test_another_optimiser_is_left_alone() -> None:
    attach_lamb(SimpleNamespace(optimizer=torch.optim.AdamW([nn.Parameter(torch.ones(1))]), device="cpu"))
