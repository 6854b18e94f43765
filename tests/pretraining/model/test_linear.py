"""Products by oneDNN next to torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pretraining.model.linear import Linear, OneDnnLinear, onednn_serves, product


def strided(rows: int, columns: int) -> Tensor:
    """A matrix with gaps between its rows."""
    return torch.randn(rows, 3 * columns)[:, columns : 2 * columns]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (torch.randn(7, 5), torch.randn(4, 5)),
        (torch.randn(5, 7).t(), torch.randn(5, 4).t()),
        (strided(7, 5), strided(4, 5)),
        (strided(5, 7).t(), torch.randn(4, 5)),
        (torch.randn(1, 5), torch.randn(1, 5)),
    ],
    ids=["plain", "transposed", "strided", "strided-transposed", "one-row"],
)
def test_a_product_is_the_product(left: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(product(left, right).double(), left.double() @ right.double().t(), atol=1e-6, rtol=1e-6)


def test_linear_and_its_gradients_equal_torch() -> None:
    torch.manual_seed(0)
    layer, input_tk, grad_tn = Linear(33, 17), torch.randn(9, 33, requires_grad=True), torch.randn(9, 17)
    arguments = (input_tk, layer.weight, layer.bias)
    expected = F.linear(*arguments)
    torch.testing.assert_close(layer(input_tk), expected, atol=1e-6, rtol=1e-5)
    assert type(layer(input_tk).grad_fn).__name__ == "OneDnnLinearBackward"
    for ours, theirs in zip(
        torch.autograd.grad(layer(input_tk), arguments, grad_tn),
        torch.autograd.grad(expected, arguments, grad_tn),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_gradients_that_nobody_asks_for_are_not_computed() -> None:
    layer, input_tk = Linear(3, 2), torch.randn(4, 3)
    layer.bias.requires_grad_(False)
    OneDnnLinear.apply(input_tk, layer.weight, layer.bias).sum().backward()
    torch.testing.assert_close(layer.weight.grad, input_tk.sum(0).expand(2, 3))
    assert layer.bias.grad is None


def test_other_precisions_are_left_to_torch() -> None:
    assert onednn_serves(torch.zeros(1))
    assert not onednn_serves(torch.zeros(1, dtype=torch.float64))
    assert not onednn_serves(torch.zeros(1), torch.zeros(1, dtype=torch.bfloat16))
    assert not onednn_serves(torch.zeros(1, device="meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not onednn_serves(torch.zeros(1))
        assert Linear(3, 2)(torch.zeros(1, 3)).dtype == torch.bfloat16
