"""The decoder against zlib: the same text, and its blocks are those that zlib stops at."""

import random
import zlib

import numpy as np
import pytest

from preprocessing.sources.seeking.deflate_blocks import (
    BIT,
    BLOCK_END,
    DAMAGED,
    NEEDS_INPUT,
    OUT,
    PADDING_BYTES,
    STATE_FIELDS,
    STREAM_END,
    inflate,
    new_tables,
)


def decode(stored: bytes, room: int, at_end: bool = True) -> tuple[int, bytes, list[int]]:
    data = np.frombuffer(stored + bytes(PADDING_BYTES), np.uint8).copy()
    out, state = np.zeros(room + 1000, np.uint8), np.zeros(STATE_FIELDS, np.int64)
    fast, slow = new_tables()
    blocks = []
    while True:
        blocks.append(int(state[BIT]))
        outcome = inflate(data, len(stored), at_end, out, state, fast, slow)
        if outcome != BLOCK_END:
            return outcome, out[: state[OUT]].tobytes(), blocks


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE])
@pytest.mark.parametrize("memory", [1, 9])
def test_the_same_text_as_zlib(level: int, strategy: int, memory: int) -> None:
    source = random.Random(level)
    for text in (
        b"",
        b"a" * 100_000,
        source.randbytes(70_000),
        b" ".join(source.choice([b"the", b"word", b"of", source.randbytes(3)]) for _ in range(20_000)),
    ):
        coder = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
        stored = coder.compress(text) + coder.flush()
        outcome, found, blocks = decode(stored, len(text))
        assert (outcome, found) == (STREAM_END, text)
        assert blocks == sorted(set(blocks))
        if len(stored) > 10:
            assert decode(stored[:-1], len(text))[0] == DAMAGED
            assert decode(stored[:-1], len(text), at_end=False)[0] == NEEDS_INPUT


@pytest.mark.parametrize(
    "stored",
    [
        b"\x07",  # a block of the fourth kind
        b"\x01\x01\x00\x00\x00a",  # a stored block whose two lengths do not agree
        b"\x03\x02",  # a distance that reaches before the start
        b"\x05\xc0\x81\x00\x00\x00",  # codes that are none
    ],
)
def test_what_is_no_block_is_refused(stored: bytes) -> None:
    with pytest.raises(zlib.error):
        zlib.decompressobj(-15).decompress(stored + bytes(10))
    assert decode(stored, 1000)[0] == DAMAGED


def test_any_bytes_end_as_zlib_ends_them() -> None:
    source = random.Random(2)
    ended = 0
    for _ in range(3000):
        stored = bytes([source.choice([1, 3, 5, 4, 2])]) + source.randbytes(source.choice([2, 10, 60, 300]))
        decoder = zlib.decompressobj(-15)
        try:
            text = decoder.decompress(stored, 100_000)
        except zlib.error:
            assert decode(stored, 100_000)[0] == DAMAGED
            continue
        if decoder.eof:
            ended += 1
            assert decode(stored, 100_000)[:2] == (STREAM_END, text)
    assert ended > 5
