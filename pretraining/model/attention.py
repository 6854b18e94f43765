"""Attention over packed sequences, behind one function; one file a device has what it does there."""

from torch import Tensor

from pretraining.model.attention_cpu import attention_on_cpu
from pretraining.model.attention_cuda import attention_on_cuda
from pretraining.model.sequence_layout import SequenceLayout


def packed_attention(
    qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float, token_keys_t: Tensor | None = None, site: int = 0
) -> Tensor:
    """softmax(QKᵀ / √d) V within each sequence (Vaswani et al. 2017, equation 1).

    `qkv_t3hd`: [tokens, 3, heads, head size]; returns [tokens, heads, head size] of the same dtype. `dropout` is the
    probability that an attention weight is dropped, 0 when evaluating. With `token_keys_t` (`dropout_keys.token_keys`,
    on the CPU only) which are dropped is a function of these keys and of the site, otherwise torch's generator says.
    """
    if qkv_t3hd.is_cuda:
        return attention_on_cuda(qkv_t3hd, layout, dropout)
    return attention_on_cpu(qkv_t3hd, layout, dropout, token_keys_t, site)
