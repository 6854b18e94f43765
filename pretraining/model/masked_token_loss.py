"""Decoder and cross-entropy of the masked positions in one function, without a second [m, v] tensor.

On the CPU, softmax and its gradient are worked out a few rows at a time, which stay in the cache, and take the place of
the scores: at a small model these are the largest tensors of a step, and each fresh copy costs more than the arithmetic
(docs/model-speed.md). In bfloat16 the rows at hand are float32, and no other copy of the scores is.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pretraining.model.linear import cpu_precision, product, product_over_rows

SCORES_AT_ONCE = 1 << 18  # 1 MiB in float32: what the second cache of a core holds


def masked_token_loss(hidden_mh: Tensor, decoder_vh: Tensor, bias_v: Tensor, labels_m: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over m of −log softmax(hidden · decoderᵀ + bias)[label] in nats (float32), and the number of labels that
    have the highest score (int64). A label below 0 (`packing.IGNORED`) counts for nothing, nor do rows of `hidden_mh`
    behind the labels, which fill it up (`linear.filled_up`).
    """
    if (precision := cpu_precision(hidden_mh)) is not None:
        return DecoderLoss.apply(hidden_mh, decoder_vh, bias_v, labels_m, precision)
    scores_mv = _scores(hidden_mh, decoder_vh, bias_v)[: len(labels_m)].float()
    return F.cross_entropy(scores_mv, labels_m, reduction="sum"), _correct(scores_mv, scores_mv.amax(1), labels_m).sum()


def _scores(hidden_mh: Tensor, decoder_vh: Tensor, bias_v: Tensor) -> Tensor:
    """On a GPU with the rows filled up to a multiple of 8 for the product alone: tensor cores are a third as fast on
    the 30,522 rows of the published vocabulary as on 30,528.
    """
    rows = decoder_vh.shape[0]
    missing = -rows % 8 if hidden_mh.is_cuda else 0
    if not missing:
        return F.linear(hidden_mh, decoder_vh, bias_v)
    return F.linear(hidden_mh, F.pad(decoder_vh, (0, 0, 0, missing)), F.pad(bias_v, (0, missing)))[:, :rows]


def _correct(scores_mv: Tensor, highest_m: Tensor, labels_m: Tensor) -> Tensor:
    """Bool [m]."""
    own_m = scores_mv.gather(1, labels_m.clamp(min=0)[:, None]).squeeze(1)
    return (own_m >= highest_m) & (labels_m >= 0)


class DecoderLoss(torch.autograd.Function):
    """The gradient of the scores, softmax − one-hot, is made in the forward pass, in place of the scores."""

    @staticmethod
    def forward(
        ctx: Any, hidden_mh: Tensor, decoder_vh: Tensor, bias_v: Tensor, labels_m: Tensor, precision: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        decoder_vh = decoder_vh.to(precision)
        filled_mv = product(hidden_mh.to(precision), decoder_vh, bias_v.to(precision))
        filled_mv[len(labels_m) :] = 0
        scores_mv = filled_mv[: len(labels_m)]
        rows = max(1, SCORES_AT_ONCE // scores_mv.shape[1])
        parts = [
            _loss_and_gradient(scores_rv, labels_r)
            for scores_rv, labels_r in zip(scores_mv.split(rows), labels_m.split(rows), strict=True)
        ]
        losses, hits = zip(*parts, strict=True)
        loss_sum, correct = torch.cat(losses).sum(), torch.cat(hits).sum()
        ctx.save_for_backward(hidden_mh, decoder_vh, filled_mv)  # which holds the gradient now
        ctx.mark_non_differentiable(correct)
        return loss_sum, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        hidden_mh, decoder_vh, grad_mv = ctx.saved_tensors
        given = hidden_mh.dtype
        grad_hidden_mh = product(grad_mv, decoder_vh.t()).to(given).mul_(grad)
        grad_decoder_vh = product_over_rows(grad_mv, (hidden_mh * grad).to(grad_mv.dtype)).to(given)
        return grad_hidden_mh, grad_decoder_vh, grad_mv.sum(0, dtype=torch.float32).mul_(grad).to(given), None, None


def _loss_and_gradient(scores_rv: Tensor, labels_r: Tensor) -> tuple[Tensor, Tensor]:
    """Losses, float32 [r], and which rows are right, bool [r]; the scores become their gradient."""
    work_rv = scores_rv.float()  # the scores themselves, where they are float32
    highest_r1 = work_rv.amax(1, keepdim=True)
    hits_r = _correct(work_rv, highest_r1.squeeze(1), labels_r)
    label_r1, counts_r1 = labels_r.clamp(min=0)[:, None], (labels_r >= 0)[:, None].to(work_rv.dtype)
    own_r1 = work_rv.gather(1, label_r1)
    sums_r1 = work_rv.sub_(highest_r1).exp_().sum(1, keepdim=True)
    losses_r1 = (sums_r1.log() + highest_r1 - own_r1) * counts_r1
    work_rv.mul_(counts_r1 / sums_r1).scatter_add_(1, label_r1, -counts_r1)
    if work_rv is not scores_rv:
        scores_rv.copy_(work_rv)
    return losses_r1.squeeze(1), hits_r
