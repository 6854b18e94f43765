"""From texts to token ids, and from these to sequences with their special pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.ragged import ragged, starts_of

if TYPE_CHECKING:
    from preprocessing.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class Pieces:
    """Token ids of many texts, no special pieces: text j is ids[offsets[j]:offsets[j + 1]]."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pieces of each text."""
        return np.diff(self.offsets)


def pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> Pieces:
    """Token ids of texts; equal texts are encoded once."""
    numbers: dict[str, int] = {}
    index = np.fromiter((numbers.setdefault(text, len(numbers)) for text in texts), np.int64, len(texts))
    ids, offsets = tokenizer.encode(list(numbers))
    if len(numbers) == len(texts):
        return Pieces(ids.astype(np.int32), offsets.astype(np.int64))
    starts, lengths = offsets[index].astype(np.int64), np.diff(offsets)[index].astype(np.int64)
    return Pieces(ids[ragged(starts, lengths)].astype(np.int32), starts_of(lengths))


def truncate_pairs(
    length_a: NDArray[np.int64], length_b: NDArray[np.int64], budget: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lengths after dropping pieces one by one from the end of the longer text, of B at a tie, until both fit.

    As the released BERT code does (`_truncate_seq_pair` of run_classifier.py), in closed form.
    """
    shorter = np.minimum(length_a, length_b)
    half_a, half_b = (budget + 1) // 2, budget // 2
    long_side = np.maximum(budget - shorter, shorter)
    both_long = shorter > budget - shorter
    keep_a = np.where(both_long, half_a, np.minimum(length_a, long_side))
    keep_b = np.where(both_long, half_b, np.minimum(length_b, long_side))
    return keep_a, keep_b


def assemble(
    tokenizer: Tokenizer,
    ids_a: NDArray[np.int32],
    start_a: NDArray[np.int64],
    keep_a: NDArray[np.int64],
    ids_b: NDArray[np.int32] | None = None,
    start_b: NDArray[np.int64] | None = None,
    keep_b: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Lay out `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]` for every sequence.

    Returns input_ids_t, offsets_s and segment_b_start_s as in `EncodedSplit`.
    """
    lengths = keep_a + 2
    if ids_b is not None and start_b is not None and keep_b is not None:
        lengths = lengths + keep_b + 1
    offsets = starts_of(lengths)
    first = offsets[:-1]
    out = np.full(offsets[-1], tokenizer.sep_id, np.int32)
    out[first] = tokenizer.cls_id
    out[ragged(first + 1, keep_a)] = ids_a[ragged(start_a, keep_a)]
    if ids_b is not None and start_b is not None and keep_b is not None:
        out[ragged(first + keep_a + 2, keep_b)] = ids_b[ragged(start_b, keep_b)]
    return out, offsets, (keep_a + 2).astype(np.int32)
