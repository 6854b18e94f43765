"""Decoder and cross-entropy of the masked positions in one function, without a second [m, v] tensor.

In float32 on the CPU, softmax and its gradient are worked out in the memory of the scores: at a small model the scores
are the largest tensors of a step, and each fresh copy costs more than the arithmetic (docs/model-speed.md).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pretraining.model.linear import onednn_serves, product, product_over_rows


def masked_token_loss(hidden_mh: Tensor, decoder_vh: Tensor, bias_v: Tensor, labels_m: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over m of −log softmax(hidden · decoderᵀ + bias)[label] in nats (float32), and the number of labels that
    have the highest score (int64). A label below 0 (`packing.IGNORED`) counts for nothing, nor do rows of `hidden_mh`
    behind the labels, which fill it up (`linear.filled_up`).
    """
    if onednn_serves(hidden_mh, decoder_vh):
        return DecoderLoss.apply(hidden_mh, decoder_vh, bias_v, labels_m)
    scores_mv = _scores(hidden_mh, decoder_vh, bias_v)[: len(labels_m)].float()
    return F.cross_entropy(scores_mv, labels_m, reduction="sum"), _correct(scores_mv.detach(), labels_m)


def _scores(hidden_mh: Tensor, decoder_vh: Tensor, bias_v: Tensor) -> Tensor:
    """On a GPU with the rows filled up to a multiple of 8 for the product alone: tensor cores are a third as fast on
    the 30,522 rows of the published vocabulary as on 30,528.
    """
    rows = decoder_vh.shape[0]
    missing = -rows % 8 if hidden_mh.is_cuda else 0
    if not missing:
        return F.linear(hidden_mh, decoder_vh, bias_v)
    return F.linear(hidden_mh, F.pad(decoder_vh, (0, 0, 0, missing)), F.pad(bias_v, (0, missing)))[:, :rows]


def _correct(scores_mv: Tensor, labels_m: Tensor) -> Tensor:
    own_m = scores_mv.gather(1, labels_m.clamp(min=0)[:, None]).squeeze(1)
    return ((own_m >= scores_mv.amax(1)) & (labels_m >= 0)).sum()


class DecoderLoss(torch.autograd.Function):
    """The gradient of the scores, softmax − one-hot, is made in the forward pass, in place of the scores."""

    @staticmethod
    def forward(
        ctx: Any, hidden_mh: Tensor, decoder_vh: Tensor, bias_v: Tensor, labels_m: Tensor
    ) -> tuple[Tensor, Tensor]:
        filled_mv = product(hidden_mh, decoder_vh, bias_v)
        filled_mv[len(labels_m) :] = 0
        scores_mv = filled_mv[: len(labels_m)]
        correct = _correct(scores_mv, labels_m)
        highest_m1 = scores_mv.amax(1, keepdim=True)
        label_m1, counts_m1 = labels_m.clamp(min=0)[:, None], (labels_m >= 0)[:, None].to(scores_mv.dtype)
        own_m1 = scores_mv.gather(1, label_m1)
        sums_m1 = scores_mv.sub_(highest_m1).exp_().sum(1, keepdim=True)
        loss_sum = ((sums_m1.log() + highest_m1 - own_m1) * counts_m1).sum()
        grad_mv = scores_mv.mul_(counts_m1 / sums_m1)  # in place, so filled_mv holds it
        grad_mv.scatter_add_(1, label_m1, -counts_m1)
        ctx.save_for_backward(hidden_mh, decoder_vh, filled_mv)
        ctx.mark_non_differentiable(correct)
        return loss_sum, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        hidden_mh, decoder_vh, grad_mv = ctx.saved_tensors
        grad_decoder_vh = product_over_rows(grad_mv, hidden_mh * grad)
        return product(grad_mv, decoder_vh.t()).mul_(grad), grad_decoder_vh, grad_mv.sum(0).mul_(grad), None
