"""The ways to compute attention that are compared, and the model with one of them."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pretraining.model import attention, attention_cuda
from pretraining.model.sequence_layout import SequenceLayout


def varlen(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """torch's varlen kernel, as shipped in 45d4fd2 for half precision without dropout."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = qkv_t3hd.unbind(1)
    cu, longest = layout.cu_seqlens, layout.max_length
    return varlen_attn(query, key, value, cu, cu, longest, longest)


def nested(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """Jagged nested tensors, as shipped in 45d4fd2 for dropout and for float32."""
    query, key, value = (
        torch.nested.nested_tensor_from_jagged(
            part_thd.contiguous(), layout.cu_seqlens, min_seqlen=1, max_seqlen=layout.max_length
        ).transpose(1, 2)
        for part_thd in qkv_t3hd.unbind(1)
    )
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout).transpose(1, 2).values()


def shipped(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """The choice of 45d4fd2."""
    if dropout == 0.0 and qkv_t3hd.dtype in (torch.float16, torch.bfloat16):
        return varlen(qkv_t3hd, layout, dropout)
    return nested(qkv_t3hd, layout, dropout)


def direct(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """aten's flash operation, which has a gradient of its own and takes dropout."""
    query, key, value = qkv_t3hd.unbind(1)
    cu, longest = layout.cu_seqlens, layout.max_length
    return torch.ops.aten._flash_attention_forward(query, key, value, cu, cu, longest, longest, dropout, False, False)[
        0
    ]


def efficient(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """aten's memory-efficient operation: any precision, also before Ampere."""
    query, key, value = (part[None] for part in qkv_t3hd.unbind(1))
    cu, longest = layout.cu_seqlens, layout.max_length
    return torch.ops.aten._efficient_attention_forward(
        query, key, value, None, cu, cu, longest, longest, dropout, 0, True
    )[0][0]


ROUTES = {
    "varlen": varlen,
    "nested": nested,
    "direct": direct,
    "efficient": efficient,
    "padded": attention_cuda.padded_attention,
}


ON_CPU = attention.packed_attention


@contextlib.contextmanager
def attending(route: Callable[..., Tensor]) -> Iterator[None]:
    """The model's attention replaced, where the model looks it up."""
    from pretraining.model import bert as model

    def chosen(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float, *keys: Any) -> Tensor:
        if route is ON_CPU or not qkv_t3hd.is_cuda:
            return ON_CPU(qkv_t3hd, layout, dropout, *keys)
        if qkv_t3hd.dtype == torch.float32 and route is direct:
            return efficient(qkv_t3hd, layout, dropout)
        return route(qkv_t3hd, layout, dropout)

    before = model.packed_attention
    model.packed_attention = chosen
    try:
        yield
    finally:
        model.packed_attention = before
