"""How strongly weights are held small: chosen on training rows that are held out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRENGTHS = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
"""λ of the penalty λ/2 · |w|² beside the sum of all rows' losses, the strongest first."""
USUAL = 1.0
"""Where there are too few rows to hold some out."""
FEWEST_ROWS = 20
HELD_SHARE, MOST_HELD, MOST_LEARNT = 0.1, 10_000, 20_000
"""Share and most rows of those that are held out, and most of the others. λ is a prior, and hangs little on rows."""


def held_out(
    rows: int, seed: int, most_learnt: int = MOST_LEARNT
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Places of the rows to learn from and of those that choose, each in order; None for fewer than `FEWEST_ROWS`."""
    if rows < FEWEST_ROWS:
        return None
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(rows)
    count = min(int(HELD_SHARE * rows), MOST_HELD)
    return np.sort(order[count:][:most_learnt]), np.sort(order[:count])
