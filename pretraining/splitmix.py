"""SplitMix64 (Steele, Lea and Flood, 2014): the hash behind the order of examples, dynamic masks and dropout."""

import numpy as np

from preprocessing.compiled import inlined


@inlined
def mix(value: np.uint64) -> np.uint64:
    """The 64-bit finaliser: every input bit reaches every output bit."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@inlined
def draw(key: np.uint64, counter: int) -> np.uint64:
    """Output number ``counter``, from 0, of the generator that starts at ``key``: a draw, or the key of further draws.

    Any number is to be had without those before it.
    """
    return mix(key + np.uint64(counter + 1) * np.uint64(0x9E3779B97F4A7C15))
