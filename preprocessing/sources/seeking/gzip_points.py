"""gzip: where a file can be entered, and the decoder that enters it there.

A Deflate block may refer to the 32 KiB of text before it, so a point is a bit of the file and that text.
"""

import struct
import zlib
from typing import BinaryIO

import numpy as np

from preprocessing.sources.seeking.deflate_blocks import (
    BIT,
    BLOCK_END,
    DAMAGED,
    HISTORY,
    IS_LAST,
    LEFT,
    NEEDS_INPUT,
    OUT,
    OUTPUT_FULL,
    PADDING_BYTES,
    PHASE,
    STATE_FIELDS,
    WINDOW_BYTES,
    inflate,
    new_tables,
)
from preprocessing.sources.seeking.seek_points import NotSeekableError, SeekPoint

_STORED_BYTES = 4 << 20
_OUTPUT_BYTES = 1 << 20
_TRAILER_BYTES = 8
_HEADER_BYTES = 10
_NAMES_LIMIT = 1 << 16


def gzip_points(stream: BinaryIO, spacing: int) -> list[SeekPoint]:
    """Points that lie `spacing` stored bytes or a little more apart, the first one at the start of the file.

    The whole file is decoded and checked on the way. Raises NotSeekableError where it is damaged.
    """
    return _GzipScan(stream, spacing).points()


class _GzipScan:
    def __init__(self, stream: BinaryIO, spacing: int) -> None:
        self._stream = stream
        self._spacing_bits = 8 * spacing
        self._data = np.zeros(_STORED_BYTES + PADDING_BYTES, np.uint8)
        self._size = 0
        self._base = 0  # of data[0] in the file
        self._at_end = False
        self._out = np.zeros(_OUTPUT_BYTES + WINDOW_BYTES, np.uint8)
        self._state = np.zeros(STATE_FIELDS, np.int64)
        self._tables = new_tables()
        self._plain = 0  # decoded bytes before out[_taken]
        self._taken = 0
        self._points = [SeekPoint(0)]

    def points(self) -> list[SeekPoint]:
        self._refill()
        while self._size - self._position() > 0:
            self._skip_header()
            self._read_member()
            self._skip_padding()
        return self._points

    def _position(self) -> int:
        return int(self._state[BIT]) // 8

    def _refill(self) -> None:
        used = self._position()
        left = self._size - used
        self._data[:left] = self._data[used : self._size].copy()
        count = self._stream.readinto(self._data[left:_STORED_BYTES].data)  # type: ignore[attr-defined]
        self._base += used
        self._size = left + count
        self._data[self._size : self._size + PADDING_BYTES] = 0
        self._state[BIT] -= 8 * used
        self._at_end = count == 0

    def _bytes(self, count: int) -> bytes:
        """The next bytes of the file, up to `count`; they are not taken."""
        while self._size - self._position() < count and not self._at_end:
            self._refill()
        return self._data[self._position() : min(self._position() + count, self._size)].tobytes()

    def _skip_header(self) -> None:
        head = self._bytes(_NAMES_LIMIT)
        if len(head) < _HEADER_BYTES or head[:3] != b"\x1f\x8b\x08" or head[3] & 0xE0:
            raise NotSeekableError("")
        flags, at = head[3], _HEADER_BYTES
        if flags & 4:
            at += 2 + int.from_bytes(head[at : at + 2], "little")
        for flag in (8, 16):
            if flags & flag:
                at = head.find(b"\0", at) + 1
                if at == 0:
                    raise NotSeekableError("")
        at += 2 if flags & 2 else 0
        self._state[BIT] += 8 * at
        for field in (PHASE, IS_LAST, LEFT):
            self._state[field] = 0
        self._state[HISTORY] = self._state[OUT]

    def _skip_padding(self) -> None:
        """Zeros behind a member, as tapes and some servers leave them."""
        while self._bytes(1) == b"\0":
            zeros = self._bytes(_NAMES_LIMIT)
            self._state[BIT] += 8 * (len(zeros) - len(zeros.lstrip(b"\0")))

    def _read_member(self) -> None:
        start = self._plain + int(self._state[OUT]) - self._taken
        checksum = 0
        outcome = BLOCK_END
        while True:
            if outcome == BLOCK_END:
                self._add_point()
            outcome = inflate(
                self._data, self._size, self._at_end, self._out, self._state, self._tables[0], self._tables[1]
            )
            checksum = zlib.crc32(self._out[self._taken : self._state[OUT]].data, checksum)
            self._take()
            if outcome == DAMAGED:
                raise NotSeekableError("")
            if outcome == NEEDS_INPUT:
                self._refill()
            elif outcome == OUTPUT_FULL:
                self._make_room()
            elif outcome != BLOCK_END:
                break
        self._state[BIT] = (self._state[BIT] + 7) // 8 * 8
        expected = struct.pack("<II", checksum, (self._plain - start) & 0xFFFFFFFF)
        if self._bytes(_TRAILER_BYTES) != expected:
            raise NotSeekableError("")
        self._state[BIT] += 8 * _TRAILER_BYTES

    def _add_point(self) -> None:
        bit = 8 * self._base + int(self._state[BIT])
        if bit >= self._points[-1].bit + self._spacing_bits:
            end = int(self._state[OUT])
            window = self._out[max(end - WINDOW_BYTES, int(self._state[HISTORY])) : end].tobytes()
            self._points.append(SeekPoint(bit, self._plain, window))

    def _take(self) -> None:
        self._plain += int(self._state[OUT]) - self._taken
        self._taken = int(self._state[OUT])

    def _make_room(self) -> None:
        end = int(self._state[OUT])
        moved = end - WINDOW_BYTES
        self._out[:WINDOW_BYTES] = self._out[moved:end].copy()
        self._state[OUT] = self._taken = WINDOW_BYTES
        self._state[HISTORY] = max(0, self._state[HISTORY] - moved)


class GzipFromPoint:
    """The rest of the gzip member from a point on, with the interface of Python's decompressors.

    The member's checksum covers text before the point and is passed over.
    """

    def __init__(self, point: SeekPoint) -> None:
        self._decoder = zlib.decompressobj(wbits=-15, zdict=point.state)
        self._shift = point.bit % 8
        self._begun = False
        self._rest = b""

    def decompress(self, stored: bytes, limit: int) -> bytes:
        if not self._begun and stored:
            stored, self._begun = _entered(self._shift, stored), True
        if self._decoder.eof:
            self._rest += stored
            return b""
        piece = self._decoder.decompress(self._decoder.unconsumed_tail + stored, limit)
        self._rest = self._decoder.unused_data
        return piece

    @property
    def needs_input(self) -> bool:
        return self._decoder.eof or not self._decoder.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._decoder.eof and len(self._rest) >= _TRAILER_BYTES

    @property
    def unused_data(self) -> bytes:
        return self._rest[_TRAILER_BYTES:]


# Blocks without content, the first bit lowest: (value, bits). zlib begins at whole bytes only, so the bits before a
# point are filled with blocks that say nothing: by 10 bits each, or 93 where their number must be odd.
_EMPTY_FIXED = (0b010, 10)


def _empty_dynamic() -> tuple[int, int]:
    lengths = [0] * 18  # in the order of RFC 1951, 3.2.7: of 0 it is 1, of 1 and 18 it is 2
    lengths[3], lengths[17], lengths[2] = 1, 2, 2
    fields = [(0b100, 3), (0, 5), (0, 5), (14, 4), *((length, 3) for length in lengths)]
    # 138 zeros, 118 zeros, a 1 for the end of the block, a 0 for the only distance; then the end of the block.
    fields += [(0b11, 2), (127, 7), (0b11, 2), (107, 7), (0b01, 2), (0, 1), (0, 1)]
    value = bits = 0
    for field, width in fields:
        value |= field << bits
        bits += width
    return value, bits


_EMPTY_DYNAMIC = _empty_dynamic()


def _entered(shift: int, stored: bytes) -> bytes:
    """Bytes to begin with instead of `stored`, whose first `shift` bits belong to the block before."""
    value = bits = 0
    if shift % 2:
        value, bits = _EMPTY_DYNAMIC
    while bits % 8 != shift:
        value |= _EMPTY_FIXED[0] << bits
        bits += _EMPTY_FIXED[1]
    whole = bits // 8
    value |= (stored[0] >> shift << shift) << (8 * whole)
    return value.to_bytes(whole + 1, "little") + stored[1:]
