"""Deals a global batch out in equal parts: as many examples each, and nearly as many tokens.

For attention over `cu_seqlens`, to which it is nothing that long and short examples stand in one micro-batch. Where it
pads, or works on runs of one length, `batching.cut` keeps examples of one length together instead.
"""

import numpy as np


def deal(lengths: np.ndarray, parts: int) -> np.ndarray:
    """Deals ``lengths`` (int[N], N a multiple of ``parts``) out.

    Returns int64 [parts, N / parts], indices into ``lengths``. Every example appears exactly once. Depends on the
    lengths alone.

    The examples, sorted by length, are laid in rows of one for each part. Rows are given out one after the other, those
    whose lengths differ most first: the longest of a row goes to the part that has the fewest tokens so far. So each
    row evens out what the rows before it have left, with ever smaller differences.
    Parts of few examples stay uneven: one whose only short example is very short cannot be filled up by any exchange.
    """
    lengths = lengths.astype(np.int64)
    order = np.argsort(-lengths, kind="stable").reshape(-1, parts)
    rows = lengths[order]
    spread = rows[:, 0] - rows[:, -1]
    filled = np.zeros(parts, np.int64)
    dealt = order.copy()
    for row in np.argsort(-spread, kind="stable")[: np.count_nonzero(spread)]:
        fewest_first = np.argsort(filled, kind="stable")
        dealt[row, fewest_first] = order[row]
        filled[fewest_first] += rows[row]
    return np.ascontiguousarray(dealt.T)
