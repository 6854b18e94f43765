"""Attention on the CPU, sequences of one length at a time, with its gradient written out.

Against torch's own: no padding and no masks, cheap random numbers for dropout, faster matrix products where sequences
are long, batched ones in bfloat16 where torch makes one for every block of every head, and the gradients of query, key
and value written straight into one tensor (docs/model-speed.md).
"""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pretraining.model.dropout import keep_mask
from pretraining.model.dropout_keys import site_keys
from pretraining.model.linear import onednn_serves, product
from pretraining.model.sequence_layout import Run, SequenceLayout

# From this sequence length on, one product per head by oneDNN beats one batched product by MKL, calls included.
LONG = 512


@torch.compiler.disable  # it loops over runs of equal length: traced, every mix of them would compile anew
def attention_on_cpu(
    qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float, token_keys_t: Tensor | None, site: int
) -> Tensor:
    """[t, 3, h, d] → [t, h, d]. float16, which few processors multiply, is computed in float32."""
    keys_th = site_keys(token_keys_t, site, rows=qkv_t3hd.shape[2]) if dropout and token_keys_t is not None else None
    with torch.autocast("cpu", enabled=False):  # it would take float32, where that was chosen, for bfloat16
        computed_t3hd = qkv_t3hd.float() if qkv_t3hd.dtype == torch.float16 else qkv_t3hd
        return CpuAttention.apply(computed_t3hd, layout.runs, dropout, keys_th).to(qkv_t3hd.dtype)


class CpuAttention(torch.autograd.Function):
    """[t, 3, h, d] → [t, h, d]. Suffixes name the last two axes: l is the length of the run's sequences.

    Rows behind the last sequence, with which a batch is filled up, are zeros in the result and in the gradient.

    Masks that come from keys, int64 [t, h], are drawn again by the backward pass: that takes no longer than to keep
    them, and they are as large as the weights.
    """

    @staticmethod
    def forward(
        ctx: Any, qkv_t3hd: Tensor, runs: tuple[Run, ...], dropout: float, keys_th: Tensor | None = None
    ) -> Tensor:
        ctx.runs, ctx.scale, ctx.dropout = runs, qkv_t3hd.shape[-1] ** -0.5, dropout
        context_thd = torch.empty_like(qkv_t3hd[:, 0], memory_format=torch.contiguous_format)
        context_thd[runs[-1].tokens.stop :] = 0
        saved = []
        for run in runs:
            for keys_l, query, key, value, context in _blocks(run, keys_th, *qkv_t3hd.unbind(1), context_thd):
                weights_ll = torch.softmax(_times(query * ctx.scale, key.mT), -1)
                mask_ll = keep_mask(weights_ll, dropout, keys_l) if dropout else None
                kept_ll = weights_ll if mask_ll is None else (weights_ll * mask_ll).to(weights_ll.dtype)
                context.copy_(_times(kept_ll, value))
                saved += [weights_ll, mask_ll if keys_l is None else None]
        ctx.save_for_backward(qkv_t3hd, keys_th, *saved)
        return context_thd

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_thd: Tensor) -> tuple[Tensor, None, None, None]:
        qkv_t3hd, keys_th, *saved = ctx.saved_tensors
        grad_t3hd = torch.empty_like(qkv_t3hd)
        grad_t3hd[ctx.runs[-1].tokens.stop :] = 0
        masks = iter(saved)
        for run in ctx.runs:
            parts_thd = (*qkv_t3hd.unbind(1), grad_thd, *grad_t3hd.unbind(1))
            for keys_l, query, key, value, grad, *grads in _blocks(run, keys_th, *parts_thd):
                weights_ll, mask_ll = next(masks), next(masks)
                if keys_l is not None:
                    mask_ll = keep_mask(weights_ll, ctx.dropout, keys_l)
                grad_weights_ll = _times(grad, value.mT)
                kept_ll = weights_ll
                if mask_ll is not None:
                    kept_ll = (weights_ll * mask_ll).to(weights_ll.dtype)
                    grad_weights_ll.mul_(mask_ll)
                grad_scores_ll = torch._softmax_backward_data(grad_weights_ll, weights_ll, -1, weights_ll.dtype)
                torch.mul(_times(grad_scores_ll, key), ctx.scale, out=grads[0])
                torch.mul(_times(grad_scores_ll.mT, query), ctx.scale, out=grads[1])
                grads[2].copy_(_times(kept_ll.mT, grad))
        return grad_t3hd, None, None, None


def _blocks(run: Run, *parts_thd: Tensor | None) -> Iterator[tuple[Any, ...]]:
    """The views of each part that one product needs; None of a part that is None."""
    return zip(*(_views(run, part_thd) for part_thd in parts_thd), strict=False)


def _views(run: Run, part_thd: Tensor | None) -> Iterable[Tensor | None]:
    """Views of what one product computes: for long sequences one head of one sequence [l, d]; otherwise all heads of
    a sequence or one head of all sequences [heads or sequences, l, d], whichever needs fewer products. Matrix products
    take such strides as they are. Without the last axis where the part has none.
    """
    if part_thd is None:
        return repeat(None)
    part_slhd = part_thd[run.tokens].unflatten(0, (run.sequences, run.length))
    if run.length >= LONG:
        return (part_lhd[:, head] for part_lhd in part_slhd for head in range(part_lhd.shape[1]))
    if run.sequences <= part_slhd.shape[2]:
        return part_slhd.transpose(1, 2).unbind(0)
    return part_slhd.unbind(2)


def _times(left: Tensor, right: Tensor) -> Tensor:
    if left.dim() == 2 and onednn_serves(left, right):
        return product(left, right.mT)
    return left.mm(right) if left.dim() == 2 else left.bmm(right)
