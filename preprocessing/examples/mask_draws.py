"""The two draws behind every mask, static or dynamic: which unit is hidden next, and what stands in its place
(Devlin et al. 2019, section 3.1, task 1).

The callers draw the numbers (from `philox.py` when a corpus is built, from a hash of pass and example when every pass
masks anew), say what a unit is, and count: how many pieces are hidden is a different rule in both.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from preprocessing.compiled import inlined

AS_MASK, AS_RANDOM, AS_ORIGINAL = 1, 2, 3
"""A hidden piece is shown as [MASK], as a random ordinary piece, as it is."""

MASK_SHARE, RANDOM_SHARE = 0.8, 0.1
"""The paper's shares of the hidden pieces; the rest is shown as it is."""


@inlined
def choose_unit(units: npt.NDArray[np.signedinteger[Any]], chosen: int, other: int) -> int:
    """The next of `units` (integers in any order; the first `chosen` are gone): the one at `other`, trading places.

    With `other` uniform in [chosen, len(units)) each step continues a simple random sample without replacement
    (Fisher and Yates's shuffle, as far as it is needed).
    """
    unit = units[other]
    units[other] = units[chosen]
    units[chosen] = unit
    return unit


@inlined
def choose_fate(drawn: float, mask_share: float, random_share: float) -> int:
    """How a chosen unit is shown: AS_MASK, AS_RANDOM or AS_ORIGINAL; `drawn` is uniform in [0, 1)."""
    # Without a branch, which a processor would guess wrong for a good part of the pieces.
    return AS_MASK + (drawn >= mask_share) + (drawn >= mask_share + random_share)
