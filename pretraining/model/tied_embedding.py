"""The word embedding, looked up and used as decoder, with one gradient for both uses.

Left to autograd, each use makes a gradient as large as the vocabulary, and a third pass adds them; the first of them is
zero but for the rows of the batch's tokens.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pretraining.model.linear import onednn_serves


def look_up_tied(weight_vh: Tensor, input_ids_t: Tensor) -> tuple[Tensor, Tensor] | None:
    """The rows of the tokens [t, h], and the embedding to decode with; None where torch should do both.

    Torch does both on devices other than the CPU, in lower precision, and under ZeRO stage 3, which takes the weight
    away between its two uses.
    """
    if hasattr(weight_vh, "ds_id") or not onednn_serves(weight_vh):
        return None
    return TiedLookUp.apply(weight_vh, input_ids_t)


class TiedLookUp(torch.autograd.Function):
    """Its backward runs when the gradients of both uses are there."""

    @staticmethod
    def forward(ctx: Any, weight_vh: Tensor, input_ids_t: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(input_ids_t)
        return weight_vh.index_select(0, input_ids_t), weight_vh.view_as(weight_vh)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_th: Tensor, grad_decoder_vh: Tensor) -> tuple[Tensor, None]:
        (input_ids_t,) = ctx.saved_tensors
        # In place: the decoder's gradient was made for this one use.
        return grad_decoder_vh.scatter_add_(0, input_ids_t[:, None].expand_as(grad_th), grad_th), None
