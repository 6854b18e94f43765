"""Attention on CUDA: flash attention over `cu_seqlens` where there is such a kernel, else a padded copy."""

import torch
import torch.nn.functional as F
from torch import Tensor

from pretraining.devices.abilities import AMPERE
from pretraining.model.sequence_layout import SequenceLayout


def attention_on_cuda(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """[t, 3, h, d] → [t, h, d], by what the device and the head size allow."""
    return (flash_attention if _flash_serves(qkv_t3hd) else padded_attention)(qkv_t3hd, layout, dropout)


def _flash_serves(qkv_t3hd: Tensor) -> bool:
    is_half = qkv_t3hd.dtype in (torch.float16, torch.bfloat16)
    return is_half and fits_flash(qkv_t3hd.shape[-1]) and _is_ampere(qkv_t3hd.device.index)


def fits_flash(head_size: int) -> bool:
    """Whether the flash operation has a kernel for heads of this size."""
    return head_size % 8 == 0 and head_size <= 256


@torch.compiler.assume_constant_result
def _is_ampere(device: int) -> bool:
    """Flash attention needs compute capability 8.0."""
    return torch.cuda.get_device_capability(device) >= AMPERE


def flash_attention(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
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


def padded_attention(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
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
