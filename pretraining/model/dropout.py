"""Dropout with cheap random numbers on the CPU, where drawing them costs more than everything else about it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LANE = 1 << 16  # one 64-bit draw decides for four elements, by 16 bits each


def keep_mask(like: Tensor, probability: float) -> Tensor:
    """0 where an element is dropped, otherwise 1 / (share kept); shape of `like`, float32 or float64.

    The probability is rounded to a multiple of 2⁻¹⁶. The numbers come from torch's own generator, so its saved state
    repeats them.
    """
    dropped = round(probability * _LANE)
    draws = torch.empty((like.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    lanes = draws.view(torch.int16)[: like.numel()].view(like.shape)
    # Written as numbers, not as booleans: this comparison is four times faster, and so is the product with it.
    # Never in half precision, which would round the scale.
    dtype = torch.promote_types(like.dtype, torch.float32)
    mask = torch.ge(lanes, dropped - _LANE // 2, out=torch.empty(like.shape, dtype=dtype))
    return mask.mul_(_LANE / (_LANE - dropped))


class DropoutAdd(torch.autograd.Function):
    """residual + dropout(x), in one pass over both."""

    @staticmethod
    def forward(ctx: Any, input_th: Tensor, residual_th: Tensor, probability: float) -> Tensor:
        mask_th = keep_mask(input_th, probability)
        ctx.save_for_backward(mask_th)
        return torch.addcmul(residual_th, input_th, mask_th).to(residual_th.dtype)

    @staticmethod
    def backward(ctx: Any, grad_th: Tensor) -> tuple[Tensor, Tensor, None]:
        (mask_th,) = ctx.saved_tensors
        return grad_th * mask_th, grad_th, None


class Dropout(nn.Module):
    """`torch.nn.Dropout`, with the residual sum that follows it in every layer."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, input_th: Tensor, residual_th: Tensor | None = None) -> Tensor:
        """dropout(input) + residual."""
        if not self.training or self.probability == 0.0:
            return input_th if residual_th is None else input_th + residual_th
        if input_th.device.type != "cpu" or torch.compiler.is_compiling():
            dropped_th = F.dropout(input_th, self.probability)
            return dropped_th if residual_th is None else dropped_th + residual_th
        if residual_th is None:
            return (input_th * keep_mask(input_th, self.probability)).to(input_th.dtype)
        return DropoutAdd.apply(input_th, residual_th, self.probability)
