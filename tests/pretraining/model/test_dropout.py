"""Dropout masks and the residual sum."""

import pytest
import torch

from pretraining.model.dropout import Dropout, DropoutAdd, keep_mask


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_dropped_and_the_scale(probability: float) -> None:
    torch.manual_seed(0)
    mask = keep_mask(torch.empty(1000, 1003), probability)
    count = mask.numel()
    deviation = (probability * (1 - probability) / count) ** 0.5
    assert (mask == 0).double().mean().item() == pytest.approx(probability, abs=5 * deviation)
    assert mask[mask > 0].unique().tolist() == pytest.approx([1 / (1 - probability)], rel=1e-4)
    assert mask.double().mean().item() == pytest.approx(1.0, abs=5 * deviation / (1 - probability))


def test_elements_are_dropped_independently_of_their_neighbours() -> None:
    torch.manual_seed(1)
    dropped = (keep_mask(torch.empty(1 << 20), 0.1) == 0).double()
    for distance in (1, 2, 3, 4, 8):  # four elements share a draw
        both = (dropped[:-distance] * dropped[distance:]).mean().item()
        assert both == pytest.approx(0.01, abs=5 * (0.01 * 0.99 / (1 << 20)) ** 0.5)


def test_masks_follow_torchs_generator() -> None:
    like = torch.empty(5, 7)
    torch.manual_seed(3)
    first, state = keep_mask(like, 0.5), torch.get_rng_state()
    second = keep_mask(like, 0.5)
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(keep_mask(like, 0.5), second)


@pytest.mark.parametrize("keys_t", [None, torch.arange(5)], ids=["from the generator", "from keys"])
def test_nothing_is_drawn_for_rows_that_fill_up(keys_t: torch.Tensor | None) -> None:
    input_th, residual_th = torch.randn(8, 7), torch.randn(8, 7)
    torch.manual_seed(3)
    expected_th = Dropout(0.5)(input_th[:5], residual_th[:5], keys_t)
    state = torch.get_rng_state()
    torch.manual_seed(3)
    output_th = Dropout(0.5)(input_th, residual_th, keys_t, 5)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(output_th[:5], expected_th)
    assert torch.equal(output_th[5:], residual_th[5:])


def test_the_gradient_uses_the_mask_of_the_forward_pass() -> None:
    torch.manual_seed(0)
    input_th, residual_th = torch.randn(50, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    output_th = DropoutAdd.apply(input_th, residual_th, 0.3)
    scale_th = ((output_th - residual_th) / input_th).detach()
    grad_th = torch.randn(50, 8)
    grads = torch.autograd.grad(output_th, (input_th, residual_th), grad_th)
    torch.testing.assert_close(grads[0], grad_th * scale_th, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(grads[1], grad_th)


@pytest.mark.parametrize("residual_dtype", [torch.float32, torch.bfloat16])
def test_half_precision_does_not_round_the_scale(residual_dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    input_th = torch.ones(1000, 100, dtype=torch.bfloat16, requires_grad=True)
    residual_th = torch.zeros(1000, 100, dtype=residual_dtype)
    output_th = Dropout(0.1)(input_th, residual_th)
    assert output_th.dtype == residual_dtype
    (grad_th,) = torch.autograd.grad(output_th.sum(), input_th)
    assert grad_th.dtype == torch.bfloat16
    if residual_dtype == torch.float32:
        assert output_th.max().item() == pytest.approx(1 / 0.9, rel=1e-4)


def test_nothing_is_dropped_when_evaluating() -> None:
    dropout, input_th = Dropout(0.5).eval(), torch.randn(4, 4)
    assert dropout(input_th) is input_th
    assert torch.equal(dropout(input_th, input_th), 2 * input_th)
    assert torch.equal(Dropout(0.0).train()(input_th), input_th)
