"""The bootstrap over rows: scores of many resampled splits, each as weights of the rows of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

WeightedScore = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Weights [b, i], how often each row is there in each of b splits → the metric of each, [b]."""

CELLS = 2_000_000
"""Most weights at once: 16 MB."""


def resampled_scores(scorers: Sequence[WeightedScore], rows: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """[b, s] the score of each scorer on each of `resamples` splits, drawn from the same rows with replacement.

    All scorers see the same draws, so that their differences are paired (Efron 1979, "Bootstrap methods: another look
    at the jackknife", Annals of Statistics 7).
    """
    return np.concatenate(
        [np.stack([scorer(weights_bi) for scorer in scorers], axis=1) for weights_bi in _drawn(rows, resamples, seed)]
    )


def _drawn(rows: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Weights [b, i] that add up to `rows` in each resample, a few resamples at a time."""
    draw = np.random.default_rng(seed)
    # Draws do not depend on how many are made at once: the generator gives the same sequence.
    at_once = max(1, CELLS // max(rows, 1))
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        picks = draw.integers(0, rows, (count, rows)) + np.arange(count)[:, None] * rows
        yield np.bincount(picks.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)
