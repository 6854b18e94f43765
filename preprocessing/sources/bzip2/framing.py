"""What stands around the blocks of a bzip2 stream: marks and checksums, at any bit."""

import bz2
import zlib
from collections.abc import Iterable

import numpy as np

BLOCK_MARK = 0x314159265359
END_MARK = 0x177245385090
MARK_BITS = 48
CHECKSUM_BITS = 32
HEADER_BITS = 32  # of a stream: "BZh" and the level
LONGEST_BLOCK_BYTES = 4 << 20
"""More than 900,000 symbols of 20 bits and their tables take. A table can be written in any number of bits, up and down
for ever: it would have to be held, and read again with every piece of a file."""

INVALID = "Invalid data stream"
"""As Python's module says it."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def bits_of(data: bytes, bit: int, count: int) -> int:
    """`count` bits from `bit` on, as a number."""
    last = bit + count
    value = int.from_bytes(data[bit // 8 : (last + 7) // 8], "big")
    return (value >> (-last % 8)) & ((1 << count) - 1)


def combined(checksum: int, block: int) -> int:
    """The checksum of a stream after one more block."""
    return ((checksum << 1 | checksum >> 31) & 0xFFFFFFFF) ^ block


def checksum_of(pieces: Iterable[bytes]) -> int:
    """The checksum of a block's text: zlib's, with the bits of all bytes, and its own, in the opposite order."""
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece.translate(_REVERSED), checksum)
    return int.from_bytes(checksum.to_bytes(4, "little").translate(_REVERSED), "big")


def decode_block(data: bytes, start: int, end: int, checksum: int) -> bytes | None:
    """The text of the block in the bits `[start, end)` of `data`, by Python's own decoder, as a stream of its own.

    None when it does not end there. Raises OSError where it is damaged.
    """
    shift, count = start % 8, end - start
    stored = np.frombuffer(data, np.uint8, (end + 7) // 8 - start // 8, start // 8)
    if shift:
        following = np.append(stored[1:], np.uint8(0))
        stored = (stored << np.uint8(shift)) | (following >> np.uint8(8 - shift))
    whole, rest = divmod(count, 8)
    tail = int(stored[whole]) >> (8 - rest) if rest else 0
    tail = ((tail << MARK_BITS | END_MARK) << CHECKSUM_BITS) | checksum
    bits = rest + MARK_BITS + CHECKSUM_BITS
    framed = b"BZh9" + stored[:whole].tobytes() + (tail << (-bits % 8)).to_bytes((bits + 7) // 8, "big")
    decoder = bz2.BZ2Decompressor()
    piece = decoder.decompress(framed)
    return piece if decoder.eof else None
