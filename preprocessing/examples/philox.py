"""Counter-based random numbers inside compiled code: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3", section 3.3).

A stream is a key (64 bits: what the numbers are for) and a counter (128 bits: document and place). Any stream can be
drawn from at any time, in any order, on any machine, so nothing depends on who works on which document when.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from preprocessing.compiled import compiled

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_BITS = np.uint64(32)
_ONE = np.uint64(1)
_POSITION = 10
_SCALE = 2.0**-32


def stream_key(seed: int, *purpose: int | str) -> int:
    """The 64-bit key of what the numbers are for, for instance (seed, "pairs", length, duplicate number)."""
    return xxhash.xxh3_64_intdigest("/".join(map(str, (seed, *purpose))).encode())


def new_state() -> npt.NDArray[np.uint64]:
    """Room for one stream (uint64, 11): key, counter, the four numbers of a block, and which comes next."""
    return np.zeros(11, np.uint64)


@compiled
def start_stream(state: npt.NDArray[np.uint64], key: int, document: int, place: int) -> None:
    """Moves to the stream of (key, document, place): 64, 64 and 32 bits."""
    state[0] = np.uint64(key) & _LOW
    state[1] = np.uint64(key) >> _BITS
    state[2] = np.uint64(0)
    state[3] = np.uint64(place) & _LOW
    state[4] = np.uint64(document) & _LOW
    state[5] = np.uint64(document) >> _BITS
    state[_POSITION] = np.uint64(4)


@compiled
def fill_block(state: npt.NDArray[np.uint64]) -> None:
    """The block function: four 32-bit numbers from key and counter; then the counter's first word goes up by one."""
    k0, k1 = state[0], state[1]
    c0, c1, c2, c3 = state[2], state[3], state[4], state[5]
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0 = (product_1 >> _BITS) ^ c1 ^ k0
        c1 = product_1 & _LOW
        c2 = (product_0 >> _BITS) ^ c3 ^ k1
        c3 = product_0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    state[6], state[7], state[8], state[9] = c0, c1, c2, c3
    state[2] = (state[2] + _ONE) & _LOW
    state[_POSITION] = np.uint64(0)


@compiled
def next_number(state: npt.NDArray[np.uint64]) -> Any:
    """The next 32 random bits, as uint64."""
    if state[_POSITION] == np.uint64(4):
        fill_block(state)
    number = state[np.uint64(6) + state[_POSITION]]
    state[_POSITION] += _ONE
    return number


@compiled
def uniform(state: npt.NDArray[np.uint64]) -> float:
    """A float in [0, 1), a multiple of 2^-32."""
    return float(next_number(state)) * _SCALE


@compiled
def below(state: npt.NDArray[np.uint64], bound: int) -> Any:
    """An integer in [0, bound), each exactly as likely (Lemire 2019, "Fast random integer generation in an interval").

    `bound` is between 1 and 2^32.
    """
    wide = np.uint64(bound)
    product = next_number(state) * wide
    if (product & _LOW) < wide:
        threshold = ((_ONE << _BITS) - wide) % wide
        while (product & _LOW) < threshold:
            product = next_number(state) * wide
    return np.int64(product >> _BITS)
