"""Products by oneDNN next to torch's own."""

import ctypes
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pretraining.model import linear
from pretraining.model.linear import (
    Linear,
    OneDnnLinear,
    cpu_precision,
    filled_up,
    granule,
    onednn_serves,
    product,
    product_over_rows,
)


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


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 31, 100, 1023, 1025])
@pytest.mark.parametrize(("inner", "columns"), [(6, 40), (40, 6), (64, 96)])
@pytest.mark.parametrize("bias", [None, torch.randn(96)])
def test_products_of_any_number_of_rows(rows: int, inner: int, columns: int, bias: Tensor | None) -> None:
    """Whichever side is copied: the left, or the result."""
    torch.manual_seed(0)
    left, right, other = torch.randn(rows, inner), torch.randn(columns, inner), torch.randn(rows, columns)
    bias = None if bias is None else bias[:columns]
    expected = left.double() @ right.double().t() + (0 if bias is None else bias.double())
    found = product(left, right, bias)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    assert found.is_contiguous()
    assert not found._is_view()
    expected = left.double().t() @ other.double()
    torch.testing.assert_close(product_over_rows(left, other).double(), expected, atol=1e-4, rtol=1e-5)


def test_onednn_meets_few_numbers_of_rows() -> None:
    """It keeps a kernel for each until the process ends."""
    seen = set()
    by_onednn = linear._by_onednn

    def note(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
        seen.add((*left.shape, *right.shape))
        return by_onednn(left, right, bias)

    layer = Linear(3, 2)
    with mock.patch.object(linear, "_by_onednn", note):
        for rows in range(512, 1024):
            layer(torch.zeros(rows, 3, requires_grad=True)).sum().backward()
    assert len(seen) <= 3 * 33  # the result, and both gradients
    for rows in (*range(1, 3000), 10**5, 10**6):
        assert granule(rows) <= max(8, rows / 31)


def test_a_matrix_is_filled_up_with_rows_of_zeros() -> None:
    matrix = torch.ones(437, 3)
    filled = filled_up(matrix)
    assert filled.shape == (440, 3)
    assert torch.equal(filled[:437], matrix)
    assert not filled[437:].any()
    assert filled_up(filled).shape == filled.shape


class _Mallinfo(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    )


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="asks glibc from 2.33 on what is in use")
def test_memory_does_not_grow_with_the_numbers_of_rows() -> None:
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo
    layer = Linear(16, 24)

    def train(rows: range) -> None:
        for number in rows:
            layer(torch.zeros(number, 16, requires_grad=True)).sum().backward()

    train(range(1024, 2048, 32))  # all the numbers of rows that oneDNN will meet
    before = mallinfo().uordblks
    train(range(1025, 1425))
    # Three products of each of 400 numbers, 256 KiB each, were 300 MB.
    assert mallinfo().uordblks - before < 10 * 2**20


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


@pytest.mark.parametrize(
    ("given", "autocast", "expected"),
    [
        (torch.float32, None, torch.float32),
        (torch.bfloat16, None, torch.bfloat16),
        (torch.float32, torch.bfloat16, torch.bfloat16),
        (torch.float16, None, None),
        (torch.float32, torch.float16, None),
        (torch.float64, None, None),
    ],
)
def test_precision_of_rows_on_the_cpu(
    given: torch.dtype, autocast: torch.dtype | None, expected: torch.dtype | None
) -> None:
    with torch.autocast("cpu", autocast, enabled=autocast is not None):
        assert cpu_precision(torch.zeros(1, 1, dtype=given)) == expected
        assert cpu_precision(torch.zeros(1, 1, dtype=given, device="meta")) is None


def test_products_in_bfloat16_are_those_of_torch() -> None:
    left, right = torch.randn(5, 3, dtype=torch.bfloat16), torch.randn(4, 3, dtype=torch.bfloat16)
    torch.testing.assert_close(product(left, right), left @ right.T)
    torch.testing.assert_close(product_over_rows(left, left), left.T @ left)


def test_other_precisions_are_left_to_torch() -> None:
    assert onednn_serves(torch.zeros(1))
    assert not onednn_serves(torch.zeros(1, dtype=torch.float64))
    assert not onednn_serves(torch.zeros(1), torch.zeros(1, dtype=torch.bfloat16))
    assert not onednn_serves(torch.zeros(1, device="meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not onednn_serves(torch.zeros(1))
        assert Linear(3, 2)(torch.zeros(1, 3)).dtype == torch.bfloat16
