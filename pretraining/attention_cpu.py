"""Attention in float32 on the CPU, sequences of one length at a time, with its gradient written out.

Against torch's own: no padding and no masks, cheap random numbers for dropout, faster matrix products where sequences
are long, and the gradients of query, key and value written straight into one tensor (docs/model-speed.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pretraining.dropout import keep_mask
from pretraining.linear import onednn_serves, product

if TYPE_CHECKING:
    from pretraining.attention import Run

# From this sequence length on, one product per head by oneDNN beats one batched product by MKL, calls included.
LONG = 256


class CpuAttention(torch.autograd.Function):
    """[t, 3, h, d] → [t, h, d]. Letters: l is the length of a run's sequences, … one head, or all heads of the run."""

    @staticmethod
    def forward(ctx: Any, qkv_t3hd: Tensor, runs: tuple[Run, ...], dropout: float) -> Tensor:
        ctx.runs, ctx.scale = runs, qkv_t3hd.shape[-1] ** -0.5
        context_thd = torch.empty_like(qkv_t3hd[:, 0], memory_format=torch.contiguous_format)
        saved = []
        for run in runs:
            for query, key, value, context in _blocks(run, *qkv_t3hd.unbind(1), context_thd):
                weights_ll = torch.softmax(_times(_read(query) * ctx.scale, _read(key).mT), -1)
                mask_ll = keep_mask(weights_ll, dropout) if dropout else None
                kept_ll = weights_ll if mask_ll is None else weights_ll * mask_ll
                _write(context, _times(kept_ll, _read(value)))
                saved += [weights_ll, mask_ll]
        ctx.save_for_backward(qkv_t3hd, *saved)
        return context_thd

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_thd: Tensor) -> tuple[Tensor, None, None]:
        qkv_t3hd, *saved = ctx.saved_tensors
        grad_t3hd = torch.empty_like(qkv_t3hd)
        masks = iter(saved)
        for run in ctx.runs:
            for query, key, value, grad, *grads in _blocks(run, *qkv_t3hd.unbind(1), grad_thd, *grad_t3hd.unbind(1)):
                weights_ll, mask_ll = next(masks), next(masks)
                grad_ld = _read(grad)
                grad_weights_ll = _times(grad_ld, _read(value).mT)
                kept_ll = weights_ll
                if mask_ll is not None:
                    kept_ll = weights_ll * mask_ll
                    grad_weights_ll.mul_(mask_ll)
                grad_scores_ll = torch._softmax_backward_data(grad_weights_ll, weights_ll, -1, weights_ll.dtype)
                _write(grads[0], _times(grad_scores_ll, _read(key)).mul_(ctx.scale))
                _write(grads[1], _times(grad_scores_ll.mT, _read(query) * ctx.scale))
                _write(grads[2], _times(kept_ll.mT, grad_ld))
        return grad_t3hd, None, None


def _blocks(run: Run, *parts_thd: Tensor) -> list[tuple[Tensor, ...]]:
    """Views of what is computed together: [sequences, heads, l, d] for short sequences, every head [l, d] for long."""
    parts = [part[run.tokens].unflatten(0, (run.sequences, run.length)).transpose(1, 2) for part in parts_thd]
    if run.length < LONG:
        return [tuple(parts)]
    return list(zip(*([head for sequence in part for head in sequence] for part in parts), strict=True))


def _read(block: Tensor) -> Tensor:
    return block if block.dim() == 2 else block.flatten(0, 1)


def _write(block: Tensor, result: Tensor) -> None:
    block.copy_(result.view(block.shape))


def _times(left: Tensor, right: Tensor) -> Tensor:
    if left.dim() == 2 and onednn_serves(left, right):
        return product(left, right.mT)
    return left @ right
