"""xz: the blocks of a file, from the index at its end, and the decoder that begins at one of them.

`xz -T` and pixz write many blocks, plain `xz` one. Layout: "The .xz File Format", version 1.2.1. Nothing is decoded,
but an index is believed only where the blocks are what it says: behind bytes that were put in or left out, the index
of another stream may lie, and a file that no decoder reads to its end would be read in ranges without a complaint.
"""

import json
import lzma
import os
import struct
import zlib
from typing import BinaryIO

from preprocessing.sources.seeking.seek_points import NotSeekableError, SeekPoint

_MAGIC = b"\xfd7zXZ\x00"
_FOOTER_MAGIC = b"YZ"
_FRAME_BYTES = 12  # header and footer of a stream have the same size
_INDEX_LIMIT = 64 << 20
_MEMORY_BYTES = 1 << 31
# By the number of the check (section 2.1.1.2).
_CHECK_BYTES = (0, *[4] * 3, *[8] * 3, *[16] * 3, *[32] * 3, *[64] * 3)
_LZMA2 = 0x21


def xz_points(stream: BinaryIO, size: int) -> list[SeekPoint]:
    """The beginnings of all blocks. Raises NotSeekableError where the file has none but the first, or is damaged."""
    streams: list[list[SeekPoint]] = []
    end = size
    while end > 0:
        if _at(stream, end - 4, 4) == bytes(4):  # padding behind a stream
            end -= 4
            continue
        points, end = _blocks_of_stream(stream, end)
        streams.append(points)
    found: list[SeekPoint] = []
    plain = 0
    for points in reversed(streams):
        found += [SeekPoint(point.bit, plain + point.plain, point.state) for point in points[:-1]]
        plain += points[-1].plain
    return found


def _blocks_of_stream(stream: BinaryIO, end: int) -> tuple[list[SeekPoint], int]:
    """The blocks of the stream that ends at `end`, `plain` counted from its start, and one more for their end; and
    where the stream starts."""
    footer = _at(stream, end - _FRAME_BYTES, _FRAME_BYTES)
    if footer[10:] != _FOOTER_MAGIC or zlib.crc32(footer[4:10]) != _number(footer[:4]):
        raise NotSeekableError("")
    index_bytes = (_number(footer[4:8]) + 1) * 4
    index_start = end - _FRAME_BYTES - index_bytes
    if index_bytes > _INDEX_LIMIT:
        raise NotSeekableError("has an index of more than 64 MiB")
    records = _records(_at(stream, index_start, index_bytes))
    start = index_start - sum(-(-stored // 4) * 4 for stored, _ in records) - _FRAME_BYTES
    header = _at(stream, start, _FRAME_BYTES)
    flags = footer[8:10]
    if header != _header(flags):
        raise NotSeekableError("")
    state = json.dumps([flags.hex(), index_start, end]).encode()
    points, at, plain = [], start + _FRAME_BYTES, 0
    for stored, decoded in records:
        if not _is_block(stream, at, stored, decoded, _CHECK_BYTES[flags[1] & 15]):
            raise NotSeekableError("")
        points.append(SeekPoint(8 * at, plain, state))
        at += -(-stored // 4) * 4
        plain += decoded
    return [*points, SeekPoint(8 * at, plain)], start


def _records(index: bytes) -> list[tuple[int, int]]:
    """(stored bytes without padding, decoded bytes) of each block."""
    if index[0] != 0 or zlib.crc32(index[:-4]) != _number(index[-4:]):
        raise NotSeekableError("")
    numbers: list[int] = []
    value = shift = 0
    for byte in index[1:-4]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    count = numbers[0] if numbers else 0
    if len(numbers) < 1 + 2 * count:
        raise NotSeekableError("")
    return list(zip(numbers[1 : 1 + 2 * count : 2], numbers[2 : 2 + 2 * count : 2], strict=True))


def _is_block(stream: BinaryIO, at: int, stored: int, decoded: int, check_bytes: int) -> bool:
    """Whether a block of `stored` bytes begins there whose chunks (LZMA2) are `decoded` bytes, by their headers."""
    words = _at(stream, at, 1)[0]
    if not words:
        return False  # an index begins so
    header = _at(stream, at, 4 * (words + 1))
    if zlib.crc32(header[:-4]) != _number(header[-4:]) or not _ends_with_lzma2(header):
        return False
    position, end = at + len(header), at + stored - check_bytes
    while position < end:
        chunk = _at(stream, position, min(5, end - position))
        if chunk[0] == 0:
            return position + 1 == end and decoded == 0
        if len(chunk) < 5 or 2 < chunk[0] < 0x80:
            return False
        if chunk[0] <= 2:  # not compressed
            size = int.from_bytes(chunk[1:3], "big") + 1
            position += 3 + size
        else:
            size = ((chunk[0] & 0x1F) << 16) + int.from_bytes(chunk[1:3], "big") + 1
            position += 5 + (chunk[0] >= 0xC0) + int.from_bytes(chunk[3:5], "big") + 1
        decoded -= size
    return False


def _ends_with_lzma2(header: bytes) -> bool:
    """Whether the last filter of a block, which writes the stored bytes, is LZMA2 (section 3.1)."""
    numbers = iter(header[2:-4])

    def number() -> int:
        value = shift = 0
        for byte in numbers:
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return value

    for flag in (0x40, 0x80):
        if header[1] & flag:
            number()  # the block's size, stored and decoded
    last = 0
    for _ in range((header[1] & 3) + 1):
        last = number()
        for _ in range(number()):
            next(numbers, None)
    return last == _LZMA2


def _at(stream: BinaryIO, start: int, count: int) -> bytes:
    if start < 0:
        raise NotSeekableError("")
    stream.seek(start, os.SEEK_SET)
    found = stream.read(count)
    if len(found) != count:
        raise NotSeekableError("")
    return found


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _header(flags: bytes) -> bytes:
    return _MAGIC + flags + struct.pack("<I", zlib.crc32(flags))


class XzFromPoint:
    """The rest of an xz stream from a block on, with the interface of Python's decompressors.

    The checks of the blocks are verified; the index behind them lists blocks before the point and is passed over.
    """

    def __init__(self, point: SeekPoint) -> None:
        flags, index_start, end = json.loads(point.state)
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_BYTES)
        self._decoder.decompress(_header(bytes.fromhex(flags)))
        self._blocks_left = index_start - point.bit // 8
        self._passed_over = end - index_start
        self._rest = b""

    def decompress(self, stored: bytes, limit: int) -> bytes:
        blocks, rest = stored[: self._blocks_left], stored[self._blocks_left :]
        self._blocks_left -= len(blocks)
        self._rest += rest
        if not blocks and self._decoder.needs_input:
            return b""
        return self._decoder.decompress(blocks, limit)

    @property
    def needs_input(self) -> bool:
        return self._decoder.needs_input

    @property
    def eof(self) -> bool:
        return len(self._rest) >= self._passed_over and self._decoder.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._rest[self._passed_over :]
