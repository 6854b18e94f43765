"""Dropout with cheap random numbers on the CPU, where drawing them costs more than everything else about it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretraining.model.dropout_keys import LANE, fill_keep_mask, site_keys


def keep_mask(like: Tensor, probability: float, row_keys: Tensor | None = None, rows: int | None = None) -> Tensor:
    """0 where an element is dropped, otherwise 1 / (share kept); shape of `like`, float32 or float64.

    The probability is rounded to a multiple of 2⁻¹⁶. With `row_keys`, int64 of `like`'s shape without its last axis,
    the mask is a function of them. Without, the numbers come from torch's own generator, so its saved state repeats
    them. Nothing is drawn for what stands behind the first `rows` of the first axis: it is dropped.
    """
    dropped = round(probability * LANE)
    # Written as numbers, not as booleans: this comparison is four times faster, and so is the product with it.
    # Never in half precision, which would round the scale.
    mask = torch.empty(like.shape, dtype=torch.promote_types(like.dtype, torch.float32))
    drawn = mask[:rows]
    if rows is not None:
        mask[rows:] = 0
    if row_keys is not None:
        fill_keep_mask(drawn, dropped, row_keys)
        return mask
    draws = torch.empty((drawn.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    lanes = draws.view(torch.int16)[: drawn.numel()].view(drawn.shape)
    torch.ge(lanes, dropped - LANE // 2, out=drawn).mul_(LANE / (LANE - dropped))
    return mask


class DropoutAdd(torch.autograd.Function):
    """residual + dropout(x), in one pass over both."""

    @staticmethod
    def forward(
        ctx: Any,
        input_th: Tensor,
        residual_th: Tensor,
        probability: float,
        row_keys_t: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        mask_th = keep_mask(input_th, probability, row_keys_t, rows)
        ctx.save_for_backward(mask_th)  # to draw it again takes longer than to read it
        return torch.addcmul(residual_th, input_th, mask_th).to(residual_th.dtype)

    @staticmethod
    def backward(ctx: Any, grad_th: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        (mask_th,) = ctx.saved_tensors
        return grad_th * mask_th, grad_th, None, None, None


class Dropout(nn.Module):
    """`torch.nn.Dropout`, with the residual sum that follows it in every layer.

    `site` is its number in the model: at no two sites is a token's mask the same.
    """

    def __init__(self, probability: float, site: int = 0) -> None:
        super().__init__()
        self.probability = probability
        self.site = site

    def forward(
        self,
        input_th: Tensor,
        residual_th: Tensor | None = None,
        token_keys_t: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        """dropout(input) + residual; with keys (`dropout_keys.token_keys`) the mask is a function of them.

        `rows`: the tokens, where rows that fill a batch up stand behind them; on the CPU nothing is drawn for those.
        Keys serve on the CPU only. On other devices and under torch.compile F.dropout draws from torch's generators.
        """
        if not self.training or self.probability == 0.0:
            return input_th if residual_th is None else input_th + residual_th
        if input_th.device.type != "cpu" or torch.compiler.is_compiling():
            dropped_th = F.dropout(input_th, self.probability)
            return dropped_th if residual_th is None else dropped_th + residual_th
        row_keys_t = None if token_keys_t is None else site_keys(token_keys_t, self.site, rows=1).squeeze(1)
        if residual_th is None:
            return (input_th * keep_mask(input_th, self.probability, row_keys_t, rows)).to(input_th.dtype)
        return DropoutAdd.apply(input_th, residual_th, self.probability, row_keys_t, rows)
