"""Attention over packed sequences, behind one function.

On CUDA in half precision it is flash attention over `cu_seqlens`; on the CPU, sequences of one length are computed
together, without padding, masks or copies of the input.
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
    @torch.compiler.disable  # lengths are data: traced, every new mix of them would compile anew
    def of(cls, cu_seqlens: Tensor, max_length: int) -> "SequenceLayout":
        """Reads the lengths on the CPU only."""
        if cu_seqlens.is_cuda:
            return cls(cu_seqlens, max_length, ())
        runs: list[Run] = []
        start = 0
        for length, same in groupby(cu_seqlens.diff().tolist()):
            runs.append(Run(start, len(list(same)), length))
            start = runs[-1].tokens.stop
        return cls(cu_seqlens, max_length, tuple(runs))


def packed_attention(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """softmax(QKᵀ / √d) V within each sequence (Vaswani et al. 2017, equation 1).

    `qkv_t3hd`: [tokens, 3, heads, head size]; returns [tokens, heads, head size] of the same dtype. `dropout` is the
    probability that an attention weight is dropped, 0 when evaluating.
    """
    if qkv_t3hd.is_cuda:
        if dropout == 0.0 and qkv_t3hd.dtype in (torch.float16, torch.bfloat16):
            return _flash(qkv_t3hd, layout)
        return _nested(qkv_t3hd, layout, dropout)
    return _on_cpu(qkv_t3hd, layout, dropout)


@torch.compiler.disable  # as above: it loops over runs of equal length
def _on_cpu(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    if qkv_t3hd.dtype in (torch.float32, torch.float64):
        return CpuAttention.apply(qkv_t3hd, layout.runs, dropout)
    return _run_by_run(qkv_t3hd, layout, dropout)


def _flash(qkv_t3hd: Tensor, layout: SequenceLayout) -> Tensor:
    """torch's varlen kernel: half precision, and no dropout of attention weights (torch 2.13 has it fixed at 0)."""
    # Here, because its import takes a second and the CPU never needs it.
    from torch.nn.attention.varlen import varlen_attn

    query_thd, key_thd, value_thd = qkv_t3hd.unbind(1)
    cu_seqlens, longest = layout.cu_seqlens, layout.max_length
    context_thd = varlen_attn(query_thd, key_thd, value_thd, cu_seqlens, cu_seqlens, longest, longest)
    assert isinstance(context_thd, Tensor)  # it is a tuple only where auxiliary outputs are asked for
    return context_thd


def _nested(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """Jagged nested tensors: the same kernels with dropout, and others for float32."""
    query, key, value = (
        torch.nested.nested_tensor_from_jagged(
            part_thd.contiguous(),
            layout.cu_seqlens,
            # No sequence is empty. Where the least length is not given, torch waits for the device to read it, three
            # times a layer.
            min_seqlen=1,
            max_seqlen=layout.max_length,
        ).transpose(1, 2)
        for part_thd in qkv_t3hd.unbind(1)
    )
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout).transpose(1, 2).values()


def _run_by_run(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """torch's own attention for every run of sequences of one length."""
    contexts = []
    for run in layout.runs:
        qkv = qkv_t3hd[run.tokens].unflatten(0, (run.sequences, run.length))
        query_shld, key_shld, value_shld = (part.transpose(1, 2) for part in qkv.unbind(2))
        context_shld = F.scaled_dot_product_attention(query_shld, key_shld, value_shld, dropout_p=dropout)
        contexts.append(context_shld.transpose(1, 2).flatten(0, 1))
    return torch.cat(contexts)
