"""Compressed or plain files as one stream of plain bytes; what a file is, is seen in its first bytes."""

import io
from typing import BinaryIO, cast

from preprocessing.errors import PreprocessingError
from preprocessing.sources.seeking.opening import BZIP2_BLOCKS, Piece, open_stream
from preprocessing.sources.stored_stream import PlainStream, StoredStream, TruncatedInputError, damaged
from preprocessing.storage import open_file
from preprocessing.tally import Tally

_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    *((bytes([first]) + b"\x2a\x4d\x18", "zstd") for first in range(0x50, 0x60)),  # as pzstd begins
)
_BZIP2_MARKS = (b"1AY&SY", b"\x17rE8P\x90")
_HEAD_BYTES = 512
_BUFFER_BYTES = 1 << 20

TRAILING_BYTES = "warnings.trailing_bytes"
"""Stored bytes behind the last stream of a compressed file, as `gzip` and `bzip2` leave them unread."""

# Bytes of text for each stored byte, roughly.
EXPANSION = {"": 1.0, "bz2": 4.0, BZIP2_BLOCKS: 4.0, "gzip": 3.0, "xz": 4.0, "zstd": 3.5}
PARQUET_EXPANSION = 2.0  # it compresses its columns itself


def detect_compression(path: str) -> str:
    """Which of "", "bz2", "gzip", "xz" or "zstd" it is, by the file's first bytes."""
    with open_file(path) as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(b"BZh"):
        return "" if _is_text(head) else "bz2"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def _is_text(head: bytes) -> bool:
    """Whether what begins as a bz2 file may is plain text: all of it, and not only the letters that stand in both."""
    is_mark = any(mark.startswith(head[3 + 1 : 3 + 1 + len(mark)]) for mark in _BZIP2_MARKS)
    return not is_mark and all(byte >= 0x20 or byte in b"\t\n\r" for byte in head) and 0x7F not in head


def open_range(path: str, name: str, compression: str, start: int = 0, end: int | None = None) -> BinaryIO:
    """The bytes `[start, end)` of the file as stored, decompressed; read once, front to back, in bounded memory.

    `name` is for messages. Reading raises PreprocessingError where a compressed stream is damaged or ends early.
    """
    return _buffered(StoredStream(path, name, compression, start, end), compression)


def open_piece(piece: Piece, tally: Tally | None = None) -> BinaryIO:
    """The same for a piece of a split, whatever its range counts.

    A few bytes behind the last compressed stream are counted in `tally`; without one they are damage.
    """
    return _buffered(open_stream(piece), piece.compression, tally)


def note_ignored(stream: PlainStream, tally: Tally) -> None:
    """Counts what lies behind the last compressed stream and was not read: for whoever has read to the end."""
    if stream.ignored:
        reason = f"{stream.ignored:,} bytes behind the end of its compressed data were not read"
        tally.lose_part(stream.name, reason, TRAILING_BYTES, stream.ignored)


def _buffered(stream: PlainStream, compression: str, tally: Tally | None = None) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_PlainBytes(stream, compression, tally), _BUFFER_BYTES))


class _PlainBytes(io.RawIOBase):
    def __init__(self, stream: PlainStream, compression: str, tally: Tally | None) -> None:
        self._stream = stream
        self._compression = compression
        self._tally = tally
        self._pending = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._pending:
            self._pending = memoryview(self._next())
        size = min(len(buffer), len(self._pending))
        buffer[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        return size

    def _next(self) -> bytes:
        try:
            piece = self._stream.read()
        except TruncatedInputError as error:
            raise PreprocessingError(
                f"{self._stream.name} ends inside its {self._compression} data at byte "
                f"{self._stream.offset:,}; fetch it again or leave it out."
            ) from error
        if not piece and self._stream.ignored:
            if self._tally is None:
                offset = self._stream.offset - self._stream.ignored
                raise damaged(self._stream.name, self._compression, offset, "its data ends, its bytes do not")
            note_ignored(self._stream, self._tally)
            self._tally = Tally()  # once
        return b"" if self._stream.beyond else piece

    def close(self) -> None:
        self._stream.close()
        super().close()
