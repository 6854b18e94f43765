"""Encoding of one or two texts, as the released code cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.pieces import assemble, pieces, truncate_pairs
from finetuning.kinds.encoding.truncation import cut_of

if TYPE_CHECKING:
    from preprocessing.tokens.tokenizer import Tokenizer


def encode_texts(
    texts_a: Sequence[str],
    texts_b: Sequence[str] | None,
    tokenizer: Tokenizer,
    sequence_length: int,
    labels: NDArray[np.int64] | NDArray[np.float32],
    group: int = 1,
) -> EncodedSplit:
    """`[CLS] A [SEP]`, or `[CLS] A [SEP] B [SEP]`, of at most `sequence_length` pieces.

    `labels`: [i, …] of the items, of which each is `group` neighbouring sequences.
    """
    first = pieces(tokenizer, texts_a)
    tokens, special, is_empty = first.lengths, 2, first.lengths == 0
    if texts_b is None:
        keep = np.minimum(first.lengths, sequence_length - 2)
        kept = keep
        ids, offsets, starts = assemble(tokenizer, first.ids, first.offsets[:-1], keep)
    else:
        second = pieces(tokenizer, texts_b)
        tokens, special, is_empty = tokens + second.lengths, 3, is_empty | (second.lengths == 0)
        keep_a, keep_b = truncate_pairs(first.lengths, second.lengths, sequence_length - 3)
        kept = keep_a + keep_b
        ids, offsets, starts = assemble(
            tokenizer, first.ids, first.offsets[:-1], keep_a, second.ids, second.offsets[:-1], keep_b
        )
    cut = cut_of(
        (tokens - kept).reshape(-1, group).sum(1),
        int(tokens.sum()),
        int(tokens.max(initial=0)) + special,
        sequence_length,
        empty_rows=int(is_empty.reshape(-1, group).any(1).sum()),
        unknown_tokens=int((ids == tokenizer.unk_id).sum()),
    )
    return EncodedSplit(ids, offsets, starts, np.arange(len(labels)), labels, cut, group=group)
