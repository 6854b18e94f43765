"""Arithmetic of flat arrays with offsets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n + 1] offsets from [n] lengths."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ragged(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The indices starts[0] … starts[0] + lengths[0] - 1, starts[1] …, end to end."""
    offsets = starts_of(lengths)
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
