"""Encoding of one or two texts, as the released code cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.pieces import assemble, pieces, truncate_pairs

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
    if texts_b is None:
        keep = np.minimum(first.lengths, sequence_length - 2)
        ids, offsets, starts = assemble(tokenizer, first.ids, first.offsets[:-1], keep)
    else:
        second = pieces(tokenizer, texts_b)
        keep_a, keep_b = truncate_pairs(first.lengths, second.lengths, sequence_length - 3)
        ids, offsets, starts = assemble(
            tokenizer, first.ids, first.offsets[:-1], keep_a, second.ids, second.offsets[:-1], keep_b
        )
    return EncodedSplit(ids, offsets, starts, np.arange(len(labels)), labels, group=group)
