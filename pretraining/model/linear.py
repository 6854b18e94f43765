"""Matrix products in float32 on the CPU by oneDNN, which torch itself uses for lower precisions only.

torch multiplies float32 matrices with MKL, which reaches half of what oneDNN does on processors that are not Intel's
(docs/model-speed.md). On every other device and precision, and under torch.compile, this is plain F.linear.

oneDNN compiles a kernel for every number of rows that it meets and keeps each, 256 KiB, until the process ends; packed
batches have another number of tokens at every step. So it is given few numbers of rows: `granule` says which.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def onednn_serves(*tensors: Tensor) -> bool:
    """True where float32 products on the CPU are ours to choose."""
    return (
        not torch.compiler.is_compiling()  # first: what follows breaks its graph
        and all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )


def cpu_precision(hidden_tk: Tensor) -> torch.dtype | None:
    """In what oneDNN multiplies these rows by a layer: float32, or bfloat16, for which torch takes it by itself; None
    where it does not. Its kernels are then chosen by the number of rows.
    """
    if onednn_serves(hidden_tk):
        return torch.float32
    if torch.compiler.is_compiling() or hidden_tk.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return None
    mixed = torch.is_autocast_enabled("cpu")
    is_bfloat16 = (torch.get_autocast_dtype("cpu") if mixed else hidden_tk.dtype) == torch.bfloat16
    return torch.bfloat16 if is_bfloat16 else None


def granule(rows: int) -> int:
    """What a number of rows is rounded to: at most 32 numbers between a power of two and the next, 3 % apart."""
    return max(8, 1 << max(0, rows.bit_length() - 6))


def filled_up(matrix_tk: Tensor) -> Tensor:
    """[t, k] → the same with rows of zeros behind it, up to the next number of rows that oneDNN is given."""
    return F.pad(matrix_tk, (0, 0, 0, -matrix_tk.shape[0] % granule(matrix_tk.shape[0])))


def product(left_mk: Tensor, right_nk: Tensor, bias_n: Tensor | None = None) -> Tensor:
    """left · rightᵀ + bias; both may be transposed views; of these the operation copies the left.

    In bfloat16 this is F.linear. In float32, where oneDNN must not see the number of rows, the smaller side is copied:
    the left with rows of zeros behind it, or the result, whose last rows are then torch's own.
    """
    if left_mk.dtype != torch.float32:
        return F.linear(left_mk, right_nk, bias_n)
    (rows, inner), columns = left_mk.shape, right_nk.shape[0]
    step = granule(rows)
    whole = rows // step * step
    if whole == rows:
        return _by_onednn(left_mk, right_nk, bias_n)
    if inner <= columns or whole == 0:
        filled_mk = left_mk.new_empty(whole + step, inner)
        filled_mk[:rows] = left_mk
        filled_mk[rows:] = 0
        return _by_onednn(filled_mk, right_nk, bias_n).resize_(rows, columns)
    result_mn = left_mk.new_empty(rows, columns)
    result_mn[:whole] = _by_onednn(left_mk[:whole], right_nk, bias_n)
    if bias_n is None:
        torch.mm(left_mk[whole:], right_nk.t(), out=result_mn[whole:])
    else:
        torch.addmm(bias_n, left_mk[whole:], right_nk.t(), out=result_mn[whole:])
    return result_mn


def product_over_rows(left_tm: Tensor, right_tn: Tensor) -> Tensor:
    """leftᵀ · right, a sum over rows: the gradient of a weight.

    In float32, where oneDNN must not see the number of rows, both sides are filled up, or the last rows are added by
    torch's own product, which reads and writes the whole result: whichever touches less memory.
    """
    if left_tm.dtype != torch.float32:
        return left_tm.t().mm(right_tn)
    (rows, height), width = left_tm.shape, right_tn.shape[1]
    step = granule(rows)
    whole = rows // step * step
    if whole != rows and (whole == 0 or rows * (height + width) < height * width):
        return _by_onednn(filled_up(left_tm).t(), filled_up(right_tn).t())
    result_mn = _by_onednn(left_tm[:whole].t(), right_tn[:whole].t())
    return result_mn if whole == rows else result_mn.addmm_(left_tm[whole:].t(), right_tn[whole:])


def _by_onednn(left_mk: Tensor, right_nk: Tensor, bias_n: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(_dense(left_mk), _dense(right_nk), bias_n, "none", [], "")


def _dense(matrix: Tensor) -> Tensor:
    # Gaps between rows throw oneDNN back to a reference implementation, hundreds of times slower than a copy.
    return matrix if matrix.is_contiguous() or matrix.mT.is_contiguous() else matrix.contiguous()


class OneDnnLinear(torch.autograd.Function):
    """x · Wᵀ + b with x [t, k], W [n, k], b [n]."""

    @staticmethod
    def forward(ctx: Any, input_tk: Tensor, weight_nk: Tensor, bias_n: Tensor) -> Tensor:
        ctx.save_for_backward(input_tk, weight_nk)
        return product(input_tk, weight_nk, bias_n)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_tn: Tensor) -> tuple[Tensor | None, ...]:
        input_tk, weight_nk = ctx.saved_tensors
        grad_input_tk = product(grad_tn, weight_nk.t()) if ctx.needs_input_grad[0] else None
        grad_weight_nk = product_over_rows(grad_tn, input_tk) if ctx.needs_input_grad[1] else None
        return grad_input_tk, grad_weight_nk, grad_tn.sum(0) if ctx.needs_input_grad[2] else None


class Linear(nn.Linear):
    """`torch.nn.Linear`, faster in float32 on the CPU."""

    def forward(self, input_tk: Tensor) -> Tensor:
        """[t, k] → [t, n]."""
        if onednn_serves(input_tk, self.weight):
            return OneDnnLinear.apply(input_tk, self.weight, self.bias)
        return F.linear(input_tk, self.weight, self.bias)
