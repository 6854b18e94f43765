"""Cuts a global batch by length, so that at every micro-batch all ranks do the same amount of work.

Ranks wait for each other at every optimiser step, and at every micro-batch under ZeRO 2 and 3, so the time of a step
is the sum over micro-batches of the slowest rank. The batch is sorted by length and cut into blocks of near-equal
cost, one per micro-batch; inside a block the examples, alike in length by now, are dealt to the ranks back and forth.
"""

from itertools import pairwise

import numpy as np

from pretraining.errors import PretrainingError


def example_cost(lengths: np.ndarray, hidden_size: int) -> np.ndarray:
    """Relative work per example, float64: 24 h² L + 4 h L² multiply-adds per layer, up to the common factor 4 h."""
    tokens = lengths.astype(np.float64)
    return tokens * (6 * hidden_size + tokens)


def micro_batches_per_rank(batch_size: int, micro_batch_size: int, ranks: int) -> int:
    """Accumulation steps of a global batch; refuses what does not divide, naming a micro-batch size that would."""
    if batch_size % (micro_batch_size * ranks) == 0:
        return batch_size // (micro_batch_size * ranks)
    if batch_size % ranks:
        below, above = batch_size // ranks * ranks, (batch_size // ranks + 1) * ranks
        nearest = f"{below} or {above}" if below else f"{above}"
        raise PretrainingError(
            f"training.batch_size {batch_size} does not divide among {ranks} ranks; "
            f"use {nearest}, or another number of ranks"
        )
    share = batch_size // ranks
    fitting = max(size for size in range(1, min(micro_batch_size, share) + 1) if share % size == 0)
    raise PretrainingError(
        f"training.batch_size {batch_size} over {ranks} ranks is {share} examples a rank, which "
        f"training.micro_batch_size {micro_batch_size} does not divide; use --training.micro_batch_size {fitting}"
    )


def cut(lengths: np.ndarray, ranks: int, micro_batches: int, hidden_size: int) -> list[np.ndarray]:
    """Deals ``lengths`` (int[N], N a multiple of ``ranks``) out.

    Returns one int64 array of shape [ranks, examples per rank] for each of ``micro_batches``, holding indices into
    ``lengths``; row r is what rank r computes. Every example appears exactly once. Depends on the lengths alone.
    """
    order = np.argsort(-lengths.astype(np.int64), kind="stable")
    rows = len(order) // ranks
    row_cost = example_cost(lengths[order], hidden_size).reshape(rows, ranks).sum(axis=1)
    blocks = order.reshape(rows, ranks).copy()
    blocks[1::2] = blocks[1::2, ::-1]
    edges = _equal_cost_edges(np.cumsum(row_cost), micro_batches)
    return [blocks[start:stop].T for start, stop in pairwise(edges)]


def _equal_cost_edges(cumulative: np.ndarray, parts: int) -> np.ndarray:
    """``parts + 1`` ascending edges that cut rows into non-empty parts of near-equal cost."""
    rows = len(cumulative)
    targets = cumulative[-1] * np.arange(1, parts) / parts
    # The edge goes to whichever side of the target is nearer.
    middle = cumulative - np.diff(cumulative, prepend=0.0) / 2
    edges = np.concatenate([[0], np.searchsorted(middle, targets), [rows]])
    steps = np.arange(parts + 1)
    edges = np.maximum.accumulate(edges - steps) + steps
    return np.minimum(edges, rows - parts + steps)
