"""Counter-based random numbers inside compiled code: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3", section 3.3).

A stream is a key (64 bits: what the numbers are for) and a counter (128 bits: document and place). Any stream can be
drawn from at any time, in any order, on any machine, so nothing depends on who works on which document when.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from preprocessing.compiled import compiled, inlined

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_BITS = np.uint64(32)
_ONE = np.uint64(1)
_SCALE = 2.0**-32

BLOCKS = 16
"""Blocks of four numbers that are made at a time: a processor's vector unit makes several at once."""
NUMBERS = 8
"""Where they begin in a state."""
_POSITION = 6
_END = NUMBERS + 4 * BLOCKS


def stream_key(seed: int, *purpose: int | str) -> int:
    """The 64-bit key of what the numbers are for, for instance (seed, "pairs", length, duplicate number)."""
    return xxhash.xxh3_64_intdigest("/".join(map(str, (seed, *purpose))).encode())


def new_state() -> npt.NDArray[np.uint32]:
    """Room for one stream (uint32): the key's two words, the counter's four, where the next number stands, numbers."""
    return np.zeros(_END, np.uint32)


@inlined
def start_stream(state: npt.NDArray[np.uint32], key: int, document: int, place: int) -> None:
    """Moves to the stream of (key, document, place): 64, 64 and 32 bits."""
    state[0] = np.uint64(key) & _LOW
    state[1] = np.uint64(key) >> _BITS
    state[2] = 0
    state[3] = np.uint64(place) & _LOW
    state[4] = np.uint64(document) & _LOW
    state[5] = np.uint64(document) >> _BITS
    state[_POSITION] = _END


@compiled
def fill_blocks(state: npt.NDArray[np.uint32]) -> None:
    """The block function: four numbers of 32 bits from the key and each of the next `BLOCKS` counters, which differ in
    their first word."""
    # In variables: the compiler cannot know that the numbers it stores are no part of the key.
    key_0, key_1 = np.uint64(state[0]), np.uint64(state[1])
    first, second, third, fourth = state[2], np.uint64(state[3]), np.uint64(state[4]), np.uint64(state[5])
    for block in range(BLOCKS):
        k0, k1 = key_0, key_1
        c0, c1, c2, c3 = np.uint64(np.uint32(first + block)), second, third, fourth
        for _ in range(10):
            product_0 = _MULTIPLIER_0 * c0
            product_1 = _MULTIPLIER_1 * c2
            c0 = (product_1 >> _BITS) ^ c1 ^ k0
            c1 = product_1 & _LOW
            c2 = (product_0 >> _BITS) ^ c3 ^ k1
            c3 = product_0 & _LOW
            k0 = (k0 + _WEYL_0) & _LOW
            k1 = (k1 + _WEYL_1) & _LOW
        at = NUMBERS + 4 * block
        state[at], state[at + 1], state[at + 2], state[at + 3] = c0, c1, c2, c3
    state[2] = np.uint32(first + BLOCKS)
    state[_POSITION] = NUMBERS


@inlined
def next_number(state: npt.NDArray[np.uint32]) -> Any:
    """The next 32 random bits, as uint64."""
    position = state[_POSITION]
    if position == _END:
        fill_blocks(state)
        position = np.uint32(NUMBERS)
    state[_POSITION] = position + np.uint32(1)
    return np.uint64(state[position])


@inlined
def uniform(state: npt.NDArray[np.uint32]) -> float:
    """A float in [0, 1), a multiple of 2^-32."""
    return float(next_number(state)) * _SCALE


@inlined
def below(state: npt.NDArray[np.uint32], bound: int) -> Any:
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
