"""Attention over packed sequences, behind one function: flash varlen on CUDA, scaled dot products on the CPU."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class SequenceLayout:
    """Where the sequences of a packed batch lie; worked out once a step and shared by all layers."""

    cu_seqlens: Tensor  # int32 [s + 1], on the device of the tokens
    lengths: tuple[int, ...]  # empty on CUDA, where reading them would wait for the device
    max_length: int

    @classmethod
    def of(cls, cu_seqlens: Tensor, max_length: int) -> "SequenceLayout":
        """Reads the lengths on the CPU only."""
        lengths = () if cu_seqlens.is_cuda else tuple(cu_seqlens.diff().tolist())
        return cls(cu_seqlens, lengths, max_length)


def packed_attention(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """softmax(QKᵀ / √d) V within each sequence (Vaswani et al. 2017, equation 1).

    `qkv_t3hd`: [tokens, 3, heads, head size]; returns [tokens, heads, head size] of the same dtype.
    """
    return _padded_attention(qkv_t3hd, layout, dropout)


def _padded_attention(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    tokens, _, heads, head_size = qkv_t3hd.shape
    sequences, longest = len(layout.lengths), layout.max_length
    if tokens == sequences * longest:
        query_bhld, key_bhld, value_bhld = qkv_t3hd.view(sequences, longest, 3, heads, head_size).permute(2, 0, 3, 1, 4)
        out_bhld = F.scaled_dot_product_attention(query_bhld, key_bhld, value_bhld, dropout_p=dropout)
        return out_bhld.transpose(1, 2).reshape(tokens, heads, head_size)
    lengths_s = layout.cu_seqlens.diff()
    is_token_bl = torch.arange(longest, device=lengths_s.device) < lengths_s[:, None]
    row_t = is_token_bl.flatten().nonzero().squeeze(1)
    padded = qkv_t3hd.new_zeros(sequences * longest, 3, heads, head_size).index_copy(0, row_t, qkv_t3hd)
    query_bhld, key_bhld, value_bhld = padded.view(sequences, longest, 3, heads, head_size).permute(2, 0, 3, 1, 4)
    out_bhld = F.scaled_dot_product_attention(
        query_bhld, key_bhld, value_bhld, attn_mask=is_token_bl[:, None, None, :], dropout_p=dropout
    )
    return out_bhld.transpose(1, 2).reshape(sequences * longest, heads, head_size).index_select(0, row_t)
