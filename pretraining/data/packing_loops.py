"""Compiled inner loops of the loader: measure examples and pack them straight from the mapped shards.

A micro-batch of a shuffled corpus touches about as many shards as it has examples, so looping over shards in Python
would be a loop over examples. These loops instead take the address of every mapped buffer; nothing is copied on the
way but the tokens asked for. Offsets that point outside their buffer and identifiers outside the vocabulary (a corrupt
shard) are reported, never followed.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from preprocessing.compiled import compiled

OK = -1


class ShardTable(NamedTuple):
    """Where the columns of every shard that is mapped lie: one entry per shard, of ``first_example`` one more."""

    first_example: np.ndarray  # int64: number of a shard's first example among all
    tokens: np.ndarray  # int64: length of input_ids, for the bounds check
    masked: np.ndarray  # int64: length of masked_positions, for the bounds check
    token_offsets: np.ndarray  # int64 addresses of int32[rows + 1]
    input_ids: np.ndarray  # addresses of uint16[tokens] or uint32[tokens]
    segment_b_start: np.ndarray  # addresses of uint16[rows]
    mask_offsets: np.ndarray  # addresses of int32[rows + 1]
    masked_positions: np.ndarray  # addresses of uint16[masked]
    masked_labels: np.ndarray  # addresses of uint16[masked] or uint32[masked]
    is_random_next: np.ndarray  # addresses of Arrow's bitmap: bit row % 8 of byte row // 8
    wide: np.ndarray  # bool: identifiers of 32 bits
    vocabulary: np.ndarray  # int64: every identifier is below it


def _pointer_intrinsic(typing_context: Any, address: Any) -> Any:
    """An integer address as a pointer that ``numba.carray`` accepts."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


_pointer: Any = intrinsic(_pointer_intrinsic)


@compiled
def measure(
    table: ShardTable,
    examples: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    masked: np.ndarray,
) -> int:
    """Fills ``lengths`` and ``masked`` (int64[n]) with the tokens and masked tokens of each example (int64[n]).

    Only those at ``places`` (int64[m]) are looked at, whose shards are mapped.

    Returns OK, or the place in ``examples`` whose offsets are corrupt.
    """
    for place in places:
        shard = np.searchsorted(table.first_example, examples[place], side="right") - 1
        row = examples[place] - table.first_example[shard]
        tokens = numba.carray(_pointer(table.token_offsets[shard]), (row + 2,), np.int32)
        masks = numba.carray(_pointer(table.mask_offsets[shard]), (row + 2,), np.int32)
        lengths[place] = tokens[row + 1] - tokens[row]
        masked[place] = masks[row + 1] - masks[row]
        bad_tokens = tokens[row] < 0 or lengths[place] < 1 or tokens[row + 1] > table.tokens[shard]
        if bad_tokens or masks[row] < 0 or masked[place] < 0 or masks[row + 1] > table.masked[shard]:
            return place
    return OK


@compiled
def pack(
    table: ShardTable,
    examples: np.ndarray,
    places: np.ndarray,
    token_edges: np.ndarray,
    mask_edges: np.ndarray,
    input_ids: np.ndarray,
    segment_ids: np.ndarray,
    position_ids: np.ndarray,
    masked_indices: np.ndarray,
    masked_labels: np.ndarray,
    is_random_next: np.ndarray,
) -> int:
    """Packs ``examples`` (int64[n]) end to end into the int64 outputs; the edges (int64[n + 1]) come from ``measure``.

    As there, only those at ``places`` are packed, each where the edges say.

    Returns OK, or the place in ``examples`` whose segment start, masked positions, identifiers or labels are corrupt.
    """
    for place in places:
        shard = np.searchsorted(table.first_example, examples[place], side="right") - 1
        row = examples[place] - table.first_example[shard]
        first = numba.carray(_pointer(table.token_offsets[shard]), (row + 1,), np.int32)[row]
        first_mask = numba.carray(_pointer(table.mask_offsets[shard]), (row + 1,), np.int32)[row]
        start, length = token_edges[place], token_edges[place + 1] - token_edges[place]
        mask_start, masks = mask_edges[place], mask_edges[place + 1] - mask_edges[place]
        segment_b = numba.carray(_pointer(table.segment_b_start[shard]), (row + 1,), np.uint16)[row]
        if segment_b > length:
            return place
        highest: Any = 0  # compared once an example: a branch at each token would keep the loops slow
        if table.wide[shard]:
            wide_ids = numba.carray(_pointer(table.input_ids[shard]), (first + length,), np.uint32)
            wide_labels = numba.carray(_pointer(table.masked_labels[shard]), (first_mask + masks,), np.uint32)
            for step in range(length):
                highest = max(highest, np.int64(wide_ids[first + step]))
                input_ids[start + step] = wide_ids[first + step]
            for step in range(masks):
                highest = max(highest, np.int64(wide_labels[first_mask + step]))
                masked_labels[mask_start + step] = wide_labels[first_mask + step]
        else:
            ids = numba.carray(_pointer(table.input_ids[shard]), (first + length,), np.uint16)
            labels = numba.carray(_pointer(table.masked_labels[shard]), (first_mask + masks,), np.uint16)
            for step in range(length):
                highest = max(highest, np.int64(ids[first + step]))
                input_ids[start + step] = ids[first + step]
            for step in range(masks):
                highest = max(highest, np.int64(labels[first_mask + step]))
                masked_labels[mask_start + step] = labels[first_mask + step]
        if highest >= table.vocabulary[shard]:
            return place
        for step in range(length):
            segment_ids[start + step] = 1 if step >= segment_b else 0
            position_ids[start + step] = step
        positions = numba.carray(_pointer(table.masked_positions[shard]), (first_mask + masks,), np.uint16)
        for step in range(masks):
            if positions[first_mask + step] >= length:
                return place
            masked_indices[mask_start + step] = start + positions[first_mask + step]
        bits = numba.carray(_pointer(table.is_random_next[shard]), (row // 8 + 1,), np.uint8)
        is_random_next[place] = (bits[row // 8] >> (row % 8)) & 1
    return OK
