"""Zstandard: where the frames of a file begin, read from the headers of their blocks (RFC 8878, section 3.1).

`pzstd` and the seekable format write many frames, plain `zstd` one. Nothing is decoded.
"""

from typing import BinaryIO

from preprocessing.sources.seeking.seek_points import NotSeekableError, SeekPoint

_MAGIC = 0xFD2FB528
_SKIPPABLE = 0x184D2A50
_DICTIONARY_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_RUN_LENGTH = 1
_RESERVED = 3


def zstd_points(stream: BinaryIO, size: int, spacing: int) -> list[SeekPoint]:
    """Beginnings of frames that lie `spacing` stored bytes or a little more apart; `plain` is not known.

    Raises NotSeekableError where the file is damaged or ends early.
    """
    points = [SeekPoint(0)]
    at = 0
    while at < size:
        if 8 * at >= points[-1].bit + 8 * spacing:
            points.append(SeekPoint(8 * at))
        at = _frame_end(stream, at)
    if at != size:
        raise NotSeekableError("")
    return points


def _frame_end(stream: BinaryIO, at: int) -> int:
    head = _at(stream, at, 6, least=5)
    magic = int.from_bytes(head[:4], "little")
    if magic & ~0xF == _SKIPPABLE:
        return at + 8 + int.from_bytes(_at(stream, at + 4, 4), "little")
    descriptor = head[4]
    if magic != _MAGIC or descriptor & 8:
        raise NotSeekableError("")
    is_single_segment = descriptor >> 5 & 1
    content_size = _CONTENT_SIZE_BYTES[descriptor >> 6] or is_single_segment
    at += 5 + (not is_single_segment) + _DICTIONARY_BYTES[descriptor & 3] + content_size
    while True:
        header = int.from_bytes(_at(stream, at, 3), "little")
        kind, length = header >> 1 & 3, header >> 3
        if kind == _RESERVED:
            raise NotSeekableError("")
        at += 3 + (1 if kind == _RUN_LENGTH else length)
        if header & 1:
            return at + (4 if descriptor & 4 else 0)


def _at(stream: BinaryIO, start: int, count: int, least: int | None = None) -> bytes:
    stream.seek(start)
    found = stream.read(count)
    if len(found) < (count if least is None else least):
        raise NotSeekableError("")
    return found
