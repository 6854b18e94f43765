"""Attention on the CPU, sequences of one length at a time: in float32 with its gradient written out.

Against torch's own: no padding and no masks, cheap random numbers for dropout, faster matrix products where sequences
are long, and the gradients of query, key and value written straight into one tensor (docs/model-speed.md).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pretraining.model.dropout import keep_mask
from pretraining.model.linear import onednn_serves, product
from pretraining.model.sequence_layout import Run, SequenceLayout

# From this sequence length on, one product per head by oneDNN beats one batched product by MKL, calls included.
LONG = 512


@torch.compiler.disable  # it loops over runs of equal length: traced, every mix of them would compile anew
def attention_on_cpu(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """[t, 3, h, d] → [t, h, d]."""
    if qkv_t3hd.dtype in (torch.float32, torch.float64):
        return CpuAttention.apply(qkv_t3hd, layout.runs, dropout)
    return _run_by_run(qkv_t3hd, layout, dropout)


class CpuAttention(torch.autograd.Function):
    """[t, 3, h, d] → [t, h, d]. Suffixes name the last two axes: l is the length of the run's sequences."""

    @staticmethod
    def forward(ctx: Any, qkv_t3hd: Tensor, runs: tuple[Run, ...], dropout: float) -> Tensor:
        ctx.runs, ctx.scale = runs, qkv_t3hd.shape[-1] ** -0.5
        context_thd = torch.empty_like(qkv_t3hd[:, 0], memory_format=torch.contiguous_format)
        saved = []
        for run in runs:
            for query, key, value, context in _blocks(run, *qkv_t3hd.unbind(1), context_thd):
                weights_ll = torch.softmax(_times(query * ctx.scale, key.mT), -1)
                mask_ll = keep_mask(weights_ll, dropout) if dropout else None
                kept_ll = weights_ll if mask_ll is None else weights_ll * mask_ll
                context.copy_(_times(kept_ll, value))
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
                grad_weights_ll = _times(grad, value.mT)
                kept_ll = weights_ll
                if mask_ll is not None:
                    kept_ll = weights_ll * mask_ll
                    grad_weights_ll.mul_(mask_ll)
                grad_scores_ll = torch._softmax_backward_data(grad_weights_ll, weights_ll, -1, weights_ll.dtype)
                torch.mul(_times(grad_scores_ll, key), ctx.scale, out=grads[0])
                torch.mul(_times(grad_scores_ll.mT, query), ctx.scale, out=grads[1])
                grads[2].copy_(_times(kept_ll.mT, grad))
        return grad_t3hd, None, None


def _blocks(run: Run, *parts_thd: Tensor) -> list[tuple[Tensor, ...]]:
    """Views of what one product computes: for long sequences one head of one sequence [l, d]; otherwise all heads of
    a sequence or one head of all sequences [heads or sequences, l, d], whichever needs fewer products. Matrix products
    take such strides as they are.
    """
    views = [part[run.tokens].unflatten(0, (run.sequences, run.length)) for part in parts_thd]
    sequences, heads = range(run.sequences), range(parts_thd[0].shape[1])
    if run.length >= LONG:
        return [tuple(view[s, :, h] for view in views) for s in sequences for h in heads]
    if run.sequences <= len(heads):
        return [tuple(view[s].transpose(0, 1) for view in views) for s in sequences]
    return [tuple(view[:, :, h] for view in views) for h in heads]


def _times(left: Tensor, right: Tensor) -> Tensor:
    if left.dim() == 2 and onednn_serves(left, right):
        return product(left, right.mT)
    return left.mm(right) if left.dim() == 2 else left.bmm(right)


def _run_by_run(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """torch's own attention for every run of sequences of one length."""
    contexts = []
    for run in layout.runs:
        qkv = qkv_t3hd[run.tokens].unflatten(0, (run.sequences, run.length))
        query_shld, key_shld, value_shld = (part.transpose(1, 2) for part in qkv.unbind(2))
        context_shld = F.scaled_dot_product_attention(query_shld, key_shld, value_shld, dropout_p=dropout)
        contexts.append(context_shld.transpose(1, 2).flatten(0, 1))
    return torch.cat(contexts)
