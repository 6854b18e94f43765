"""bzip2, decoded by compiled loops, in less processor time than Python's own module takes.

In: the bytes of a stream. Out: its text, checked by all of its checksums. Open first: `decompressor`. `symbols` reads a
block's prefix codes, `transform` brings its bytes into their order, `lanes` does so for several blocks at a time, and
`framing` knows what stands around blocks.
"""

from preprocessing.sources.bzip2.decompressor import Bzip2Decompressor
from preprocessing.sources.bzip2.framing import (
    BLOCK_MARK,
    CHECKSUM_BITS,
    END_MARK,
    HEADER_BITS,
    LONGEST_BLOCK_BYTES,
    MARK_BITS,
    bits_of,
    checksum_of,
    combined,
    decode_block,
)
from preprocessing.sources.bzip2.lanes import LANES, MOST_BYTES, Lanes
from preprocessing.sources.bzip2.symbols import INCOMPLETE, RANDOMISED, WHOLE
from preprocessing.sources.bzip2.transform import pieces_of

__all__ = [
    "BLOCK_MARK",
    "CHECKSUM_BITS",
    "END_MARK",
    "HEADER_BITS",
    "INCOMPLETE",
    "LANES",
    "LONGEST_BLOCK_BYTES",
    "MARK_BITS",
    "MOST_BYTES",
    "RANDOMISED",
    "WHOLE",
    "Bzip2Decompressor",
    "Lanes",
    "bits_of",
    "checksum_of",
    "combined",
    "decode_block",
    "pieces_of",
]
