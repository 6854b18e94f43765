"""A compressed file as ranges that are read apart, for dumps and for lines of text.

A dump is cut where its format can be entered, since a range owns the pages that begin in it. Files of lines are cut
after a boundary, as plain ones are: they are decoded once, to find where that is, counted in decoded bytes.
"""

import codecs
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.seeking.bzip2_blocks import Bzip2BlockStream
from preprocessing.sources.seeking.bzip2_marks import bzip2_points
from preprocessing.sources.seeking.gzip_points import gzip_points
from preprocessing.sources.seeking.opening import BZIP2_BLOCKS, open_from
from preprocessing.sources.seeking.seek_points import NotSeekableError, PlainRange, SeekPoint, spaced
from preprocessing.sources.seeking.xz_blocks import xz_points
from preprocessing.sources.seeking.zstd_frames import zstd_points
from preprocessing.sources.split import Split
from preprocessing.sources.stored_stream import StoredStream, open_stored

_RECOMPRESS = {
    "xz": "has one block, so it cannot be entered in its middle; `xz -T0` writes many",
    "zstd": "has one frame, so it cannot be entered in its middle; `pzstd` writes many",
    "gzip": "is one Deflate block, so it cannot be entered in its middle; compress it again with `gzip`",
    "bz2": "is one block; compress it again with `bzip2`",
}
_NOT_UTF8 = "is not UTF-8, and an encoding is told from the whole of a text; convert it to UTF-8"


def cut_dump(whole: Split, split_bytes: int) -> list[Split]:
    """The ranges of a compressed dump, in the order of the file.

    Raises NotSeekableError where there is but one, OSError when the file cannot be read.
    """
    points = _points(whole, split_bytes)
    if whole.compression == "bz2":
        with _threads() as pool:  # a mark that begins no block after all must cut nothing
            if not all(pool.map(lambda point: _is_block(whole, point), points[1:])):
                raise NotSeekableError("")
        bits = [point.bit for point in points] + [8 * whole.size]
        pieces = [replace(whole, start=a, end=b, compression=BZIP2_BLOCKS) for a, b in pairwise(bits)]
    elif whole.compression == "zstd":
        starts = [point.bit // 8 for point in points] + [whole.size]
        return [replace(whole, start=a, end=b) for a, b in pairwise(starts)]
    else:
        end = _decoded_bytes(whole, points[-1])
        plain = [point.plain for point in points] + [end]
        pieces = [
            replace(whole, start=a, end=b, seek=PlainRange(point).to_text())
            for (a, b), point in zip(pairwise(plain), points, strict=True)
        ]
    return _with_stored_bytes(whole, pieces, points)


def cut_lines(whole: Split, split_bytes: int, boundaries: tuple[bytes, ...], *, is_text: bool) -> list[Split]:
    """The ranges of a compressed file of lines, in order; each but the first begins right after a boundary.

    `is_text`: the encoding of a text is seen in all of it, so only UTF-8 is cut. Raises as `cut_dump`.
    """
    points = _points(whole, split_bytes)
    try:
        with _threads() as pool:
            nexts = [*points[1:], None]
            heads = [
                0,
                *pool.map(lambda a, b: _after_boundary(whole, a, b, boundaries), points[1:], nexts[1:]),
            ]
            kept = [(point, head) for point, head in zip(points, heads, strict=True) if head is not None]
            ranges = list(
                pool.map(
                    lambda pair: _measure(whole, *pair[0], *pair[1], is_text=is_text),
                    pairwise([*kept, (None, 0)]),
                )
            )
    except TransientError:
        raise
    except PreprocessingError as error:  # who reads the file in one go meets it again
        raise NotSeekableError("") from error
    if len(kept) == 1:
        raise NotSeekableError(
            "has no line feed to cut at" if boundaries[0] == b"\n" else "has no blank line to cut at"
        )
    pieces, plain, rows = [], 0, 0
    for (point, head), found in zip(kept, ranges, strict=True):
        seek = PlainRange(replace(point, plain=plain), found.checksum, rows).to_text()
        pieces.append(replace(whole, start=plain + head, end=plain + found.decoded + found.overrun, seek=seek))
        plain += found.decoded
        rows += found.rows
    return _with_stored_bytes(whole, pieces, [point for point, _ in kept])


def _points(whole: Split, split_bytes: int) -> list[SeekPoint]:
    with open_stored(whole.path, whole.file) as stream:
        if whole.compression == "bz2":
            points = bzip2_points(stream, whole.size, split_bytes)
        elif whole.compression == "gzip":
            points = gzip_points(stream, split_bytes)
        elif whole.compression == "xz":
            points = xz_points(stream, whole.size)
        else:
            points = zstd_points(stream, whole.size, split_bytes)
    points = spaced(points, split_bytes, whole.size)
    if len(points) == 1:
        raise NotSeekableError(_RECOMPRESS[whole.compression])
    return points


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)))  # all decoders work without the interpreter's lock


def _is_block(whole: Split, point: SeekPoint) -> bool:
    try:
        with Bzip2BlockStream(whole.path, whole.file, point.bit) as stream:
            stream.read()
    except TransientError:
        raise
    except PreprocessingError:
        return False
    return True


def _decoded_bytes(whole: Split, last: SeekPoint) -> int:
    """Where the decoded text ends."""
    try:
        return last.plain + sum(map(len, _pieces(whole, last, None)))
    except TransientError:
        raise
    except PreprocessingError as error:
        raise NotSeekableError("") from error


def _pieces(whole: Split, point: SeekPoint, following: SeekPoint | None) -> Iterator[bytes]:
    """The decoded bytes between two points, or from one to the end of the file."""
    if following is None:
        stream = open_from(whole.path, whole.file, whole.compression, point)
    elif whole.compression == "bz2":
        stream = Bzip2BlockStream(whole.path, whole.file, point.bit, following.bit)
    elif whole.compression == "zstd":
        stream = StoredStream(whole.path, whole.file, "zstd", point.bit // 8, following.bit // 8)
    else:
        stream = open_from(whole.path, whole.file, whole.compression, point)
    is_counted = following is not None and whole.compression in ("gzip", "xz")
    left = following.plain - point.plain if following is not None and is_counted else None
    try:
        while (piece := stream.read()) and not stream.beyond:
            yield piece[:left]
            if left is not None:
                left -= len(piece)
                if left <= 0:
                    return
    finally:
        stream.close()


def _after_boundary(
    whole: Split, point: SeekPoint, following: SeekPoint | None, boundaries: tuple[bytes, ...]
) -> int | None:
    """Decoded bytes from a point to behind the first boundary after it, None where there is none before `following`."""
    overlap = max(map(len, boundaries)) - 1
    position, held = 0, b""
    for piece in _pieces(whole, point, following):
        text = held + piece
        found = [text.find(mark) + len(mark) for mark in boundaries if mark in text]
        if found:
            return position - len(held) + min(found)
        position += len(piece)
        held = text[-overlap:] if overlap else b""
    return None


@dataclass(frozen=True, slots=True)
class _Measured:
    """`decoded` bytes between two points, `overrun` of them that the range takes from behind the second, and of the
    range itself its line feeds and its CRC-32."""

    decoded: int
    overrun: int
    rows: int
    checksum: int


def _measure(
    whole: Split, point: SeekPoint, head: int, following: SeekPoint | None, overrun: int, *, is_text: bool
) -> _Measured:
    rows = checksum = decoded = 0
    decoder = codecs.getincrementaldecoder("utf-8")()

    def add(piece: bytes) -> None:
        nonlocal rows, checksum
        rows += piece.count(b"\n")
        checksum = zlib.crc32(piece, checksum)
        if is_text:
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                raise NotSeekableError(_NOT_UTF8) from error
            if b"\0" in piece:
                raise NotSeekableError("")

    for piece in _pieces(whole, point, following):
        add(piece[max(0, head - decoded) :])
        decoded += len(piece)
    if following is not None:
        left = overrun
        for piece in _pieces(whole, following, None):
            add(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
    if is_text:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise NotSeekableError(_NOT_UTF8) from error
    return _Measured(decoded, overrun, rows, checksum)


def _with_stored_bytes(whole: Split, pieces: list[Split], points: list[SeekPoint]) -> list[Split]:
    """The pieces with the stored bytes that each takes, which add up to the file."""
    starts = [point.bit // 8 for point in points] + [whole.size]
    return [replace(piece, bytes=b - a) for piece, (a, b) in zip(pieces, pairwise(starts), strict=True)]
