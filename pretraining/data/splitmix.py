"""The hash behind the order of examples and behind dynamic masks."""

import numpy as np

from preprocessing.compiled import inlined


@inlined
def mix(value: np.uint64) -> np.uint64:
    """The 64-bit finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every input bit reaches every output bit."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
