"""bzip2: where its blocks begin. Each begins with the digits of π at any bit, a stream ends with those of √π.

The 48 bits may also occur inside a block by chance or by intent. Therefore what is found counts only where the
checksums of all blocks between two ends of streams add up to the checksum that the stream ends with.
"""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from preprocessing.compiled import compiled
from preprocessing.sources.bzip2 import BLOCK_MARK, CHECKSUM_BITS, END_MARK, HEADER_BITS, MARK_BITS, bits_of, combined
from preprocessing.sources.seeking.seek_points import NotSeekableError, SeekPoint

_STORED_BYTES = 4 << 20
# A mark and the checksum behind it, which begin in the last byte of a chunk.
_OVERLAP_BYTES = 11
_MARKS_AT_ONCE = 1 << 16


def _filters() -> np.ndarray:
    """uint16 [2, 256]: which of the 16 pairs (mark, shift) have this byte as their second, and as their third byte."""
    filters = np.zeros((2, 256), np.uint16)
    for number, mark in enumerate((BLOCK_MARK, END_MARK)):
        for shift in range(8):
            shifted = (mark << (8 - shift)).to_bytes(7, "big")
            for place in range(2):
                filters[place, shifted[1 + place]] |= 1 << (8 * number + shift)
    return filters


_FILTERS = _filters()


@compiled
def _find(data: np.ndarray, start: int, filters: np.ndarray, bits: np.ndarray, ends: np.ndarray) -> int:
    """Fills `bits`, int64, with the places of marks that begin in `data[start:-10]`, and `ends`, bool, with whether
    each is the end of a stream; how many, which is at most the length of `bits`."""
    count = 0
    for at in range(start, len(data) - 10):
        candidates = filters[0, data[at + 1]] & filters[1, data[at + 2]]
        if candidates == 0:
            continue
        word = np.uint64(0)
        for index in range(7):
            word = (word << np.uint64(8)) | np.uint64(data[at + index])
        for shift in range(8):
            value = (word >> np.uint64(8 - shift)) & np.uint64(0xFFFFFFFFFFFF)
            if value == np.uint64(0x314159265359) or value == np.uint64(0x177245385090):
                if count == len(bits):
                    return count
                bits[count] = at * 8 + shift
                ends[count] = value == np.uint64(0x177245385090)
                count += 1
    return count


def find_marks(data: np.ndarray, start: int = 0) -> list[tuple[int, bool]]:
    """(bit, whether it ends a stream) of the marks in `data`, uint8 [n], that begin in `data[start:-10]`."""
    bits, ends = np.empty(_MARKS_AT_ONCE, np.int64), np.empty(_MARKS_AT_ONCE, np.bool_)
    found: list[tuple[int, bool]] = []
    while True:
        count = _find(data, start, _FILTERS, bits, ends)
        found += zip(bits[:count].tolist(), ends[:count].tolist(), strict=True)
        if count < _MARKS_AT_ONCE:
            return found
        # The last byte is looked at again, as it may hold more.
        start = found[-1][0] // 8
        found = [mark for mark in found if mark[0] < start * 8]


def bzip2_points(stream: BinaryIO, size: int, spacing: int) -> list[SeekPoint]:
    """Beginnings of blocks that lie `spacing` stored bytes or a little more apart, in a bzip2 file of one stream or
    several; `plain` is not known.

    Nothing is decoded. Raises NotSeekableError where marks and checksums do not fit together: the file is damaged, ends
    early, or holds a mark in its data.
    """
    points = [SeekPoint(0)]
    expected = HEADER_BITS  # where the next stream's first mark must be; -1 inside a stream
    checksum = 0
    for bit, is_end, found in _marks(stream):
        if expected >= 0:
            if bit != expected:
                raise NotSeekableError("")
            expected, checksum = -1, 0
        if not is_end:
            checksum = combined(checksum, found)
            if bit >= points[-1].bit + 8 * spacing:
                points.append(SeekPoint(bit))
            continue
        if found != checksum:
            raise NotSeekableError("")
        expected = (bit + MARK_BITS + CHECKSUM_BITS + 7) // 8 * 8 + HEADER_BITS
    if expected != 8 * size + HEADER_BITS:
        raise NotSeekableError("")
    return points


def _marks(stream: BinaryIO) -> Iterator[tuple[int, bool, int]]:
    """(bit, whether it ends a stream, the checksum behind it) of all marks of a file."""
    base, held = 0, b""
    while block := stream.read(_STORED_BYTES):
        data = held + block
        for bit, is_end in find_marks(np.frombuffer(data, np.uint8)):
            yield 8 * base + bit, is_end, bits_of(data, bit + MARK_BITS, CHECKSUM_BITS)
        held = data[-(_OVERLAP_BYTES - 1) :]
        base += len(data) - len(held)
    # What ends a file may be shorter than the overlap.
    data = held + bytes(_OVERLAP_BYTES)
    for bit, is_end in find_marks(np.frombuffer(data, np.uint8)):
        if bit + MARK_BITS + CHECKSUM_BITS <= 8 * len(held):
            yield 8 * base + bit, is_end, bits_of(data, bit + MARK_BITS, CHECKSUM_BITS)
