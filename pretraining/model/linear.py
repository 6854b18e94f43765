"""Matrix products in float32 on the CPU by oneDNN, which torch itself uses for lower precisions only.

torch multiplies float32 matrices with MKL, which reaches half of what oneDNN does on processors that are not Intel's
(docs/model-speed.md). On every other device and precision, and under torch.compile, this is plain F.linear.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def onednn_serves(*tensors: Tensor) -> bool:
    """True where float32 products on the CPU are ours to choose."""
    return (
        all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def product(left_mk: Tensor, right_nk: Tensor, bias_n: Tensor | None = None) -> Tensor:
    """left · rightᵀ + bias in float32; both may be transposed views; of these the operation copies the left."""
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
        grad_weight_nk = product(grad_tn.t(), input_tk.t()) if ctx.needs_input_grad[1] else None
        return grad_input_tk, grad_weight_nk, grad_tn.sum(0) if ctx.needs_input_grad[2] else None


class Linear(nn.Linear):
    """`torch.nn.Linear`, faster in float32 on the CPU."""

    def forward(self, input_tk: Tensor) -> Tensor:
        """[t, k] → [t, n]."""
        if onednn_serves(input_tk, self.weight):
            return OneDnnLinear.apply(input_tk, self.weight, self.bias)
        return F.linear(input_tk, self.weight, self.bias)
