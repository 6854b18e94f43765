"""Attention over packed sequences, behind one function.

On CUDA it is flash attention over `cu_seqlens` wherever there is such a kernel, and otherwise torch's own attention on
a padded copy; on the CPU, sequences of one length are computed together, without padding, masks or copies of the input.
"""

from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from pretraining.model.attention_cpu import CpuAttention


@dataclass(frozen=True)
class Run:
    """Neighbouring sequences of one length."""

    start: int  # first token
    sequences: int
    length: int

    @property
    def tokens(self) -> slice:
        """Where the run lies in the packed batch."""
        return slice(self.start, self.start + self.sequences * self.length)


@dataclass(frozen=True)
class SequenceLayout:
    """Where the sequences of a packed batch lie; worked out once a step and shared by all layers."""

    cu_seqlens: Tensor  # int32 [s + 1], on the device of the tokens
    max_length: int
    runs: tuple[Run, ...]  # empty on CUDA, where reading lengths would wait for the device

    @classmethod
    def of(cls, cu_seqlens: Tensor, max_length: int) -> "SequenceLayout":
        """Reads the lengths on the CPU only."""
        return cls(cu_seqlens, max_length, () if cu_seqlens.is_cuda else _runs(cu_seqlens))


@torch.compiler.disable  # lengths are data: traced, every new mix of them would compile anew
def _runs(cu_seqlens: Tensor) -> tuple[Run, ...]:
    runs: list[Run] = []
    start = 0
    for length, same in groupby(cu_seqlens.diff().tolist()):
        runs.append(Run(start, len(list(same)), length))
        start = runs[-1].tokens.stop
    return tuple(runs)


def packed_attention(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """softmax(QKᵀ / √d) V within each sequence (Vaswani et al. 2017, equation 1).

    `qkv_t3hd`: [tokens, 3, heads, head size]; returns [tokens, heads, head size] of the same dtype. `dropout` is the
    probability that an attention weight is dropped, 0 when evaluating.
    """
    if qkv_t3hd.is_cuda:
        return (_flash if _flash_serves(qkv_t3hd) else _padded)(qkv_t3hd, layout, dropout)
    return _on_cpu(qkv_t3hd, layout, dropout)


@torch.compiler.disable  # as above: it loops over runs of equal length
def _on_cpu(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    if qkv_t3hd.dtype in (torch.float32, torch.float64):
        return CpuAttention.apply(qkv_t3hd, layout.runs, dropout)
    return _run_by_run(qkv_t3hd, layout, dropout)


def _flash_serves(qkv_t3hd: Tensor) -> bool:
    head_size = qkv_t3hd.shape[-1]
    return (
        qkv_t3hd.dtype in (torch.float16, torch.bfloat16)
        and head_size % 8 == 0
        and head_size <= 256
        and _is_ampere(qkv_t3hd.device.index)
    )


@torch.compiler.assume_constant_result
def _is_ampere(device: int) -> bool:
    """Flash attention needs compute capability 8.0."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _flash(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """aten's operation itself: torch's `varlen_attn` is the same kernel without dropout, and takes the host three times
    as long.
    """
    query_thd, key_thd, value_thd = qkv_t3hd.unbind(1)
    cu_seqlens, longest = layout.cu_seqlens, layout.max_length
    is_causal = return_debug_mask = False
    context_thd, *_ = torch.ops.aten._flash_attention_forward(
        query_thd, key_thd, value_thd, cu_seqlens, cu_seqlens, longest, longest, dropout, is_causal, return_debug_mask
    )
    return context_thd


def _padded(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """For float32, other head sizes and older devices.

    Not the memory-efficient kernel over `cu_seqlens`, which needs no padding (nor jagged nested tensors, which call
    it): in torch 2.11 it drops the same weights in every sequence and head, and others in the backward pass.
    """
    tokens, cu_seqlens = qkv_t3hd.shape[0], layout.cu_seqlens.long()
    place_sl = cu_seqlens[:-1, None] + torch.arange(layout.max_length, device=cu_seqlens.device)
    real_sl = place_sl < cu_seqlens[1:, None]
    # What stands in the padding does not matter: as keys it is masked, and its queries' results are left out.
    padded = qkv_t3hd.index_select(0, place_sl.clamp(max=tokens - 1).flatten()).unflatten(0, place_sl.shape)
    query_shld, key_shld, value_shld = (part.transpose(1, 2) for part in padded.unbind(2))
    context_shld = F.scaled_dot_product_attention(
        query_shld, key_shld, value_shld, attn_mask=real_sl[:, None, None], dropout_p=dropout
    )
    token_t = torch.arange(tokens, device=cu_seqlens.device)
    sequence_t = torch.bucketize(token_t, cu_seqlens[1:], right=True)
    place_t = sequence_t * layout.max_length + token_t - cu_seqlens[sequence_t]
    return context_shld.transpose(1, 2).flatten(0, 1).index_select(0, place_t)


def _run_by_run(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """torch's own attention for every run of sequences of one length."""
    contexts = []
    for run in layout.runs:
        qkv = qkv_t3hd[run.tokens].unflatten(0, (run.sequences, run.length))
        query_shld, key_shld, value_shld = (part.transpose(1, 2) for part in qkv.unbind(2))
        context_shld = F.scaled_dot_product_attention(query_shld, key_shld, value_shld, dropout_p=dropout)
        contexts.append(context_shld.transpose(1, 2).flatten(0, 1))
    return torch.cat(contexts)
