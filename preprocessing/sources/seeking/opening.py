"""A piece of a split, plain, compressed or cut out of a compressed stream, as one stream of decoded bytes."""

import zlib
from typing import Any, Protocol

from preprocessing.errors import PreprocessingError
from preprocessing.sources.seeking.bzip2_blocks import Bzip2BlockStream
from preprocessing.sources.seeking.gzip_points import GzipFromPoint
from preprocessing.sources.seeking.seek_points import PlainRange, SeekPoint
from preprocessing.sources.seeking.xz_blocks import XzFromPoint
from preprocessing.sources.stored_stream import PlainStream, StoredStream

BZIP2_BLOCKS = "bz2-blocks"
_INSIDE_A_STREAM: dict[str, Any] = {"gzip": GzipFromPoint, "xz": XzFromPoint}


class Piece(Protocol):
    """What is needed of a `Split`."""

    @property
    def path(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def compression(self) -> str: ...
    @property
    def seek(self) -> str: ...


def open_stream(piece: Piece) -> PlainStream:
    """The decoded bytes of a piece, whatever its `start` and `end` count."""
    if piece.seek:
        return PlainRangeStream(piece, PlainRange.from_text(piece.seek))
    if piece.compression == BZIP2_BLOCKS:
        return Bzip2BlockStream(piece.path, piece.file, piece.start, piece.end)
    return StoredStream(piece.path, piece.file, piece.compression, piece.start, piece.end)


def open_head(piece: Piece) -> PlainStream:
    """The decoded bytes of the piece's file from its start."""
    compression = "bz2" if piece.compression == BZIP2_BLOCKS else piece.compression
    return StoredStream(piece.path, piece.file, compression)


def open_from(path: str, name: str, compression: str, point: SeekPoint) -> PlainStream:
    """The decoded bytes from a point to the end of the file."""
    if compression == "bz2":
        return Bzip2BlockStream(path, name, point.bit)
    is_inside = point.bit > 0 and compression in _INSIDE_A_STREAM
    decoder = _INSIDE_A_STREAM[compression](point) if is_inside else None
    return StoredStream(path, name, compression, point.bit // 8, None, decoder)


class PlainRangeStream:
    """The decoded bytes `[start, end)` of a compressed file and then, if asked, what follows.

    Raises PreprocessingError when the range is not what planning read: no byte of another text is taken for it.
    """

    def __init__(self, piece: Piece, plain_range: PlainRange) -> None:
        self.name = piece.file
        self.start = piece.start
        self.beyond = False
        self.ignored = 0  # planning cuts no file with bytes behind its end
        self._end = piece.end
        self._checksum = plain_range.checksum
        self._found = 0
        self._position = plain_range.point.plain
        self._pending = b""
        self._stream = open_from(piece.path, piece.file, piece.compression, plain_range.point)

    def __enter__(self) -> "PlainRangeStream":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()

    @property
    def offset(self) -> int:
        """Stored bytes from the start of the file to what is read next, about."""
        return self._stream.offset

    def read(self) -> bytes:
        """The next piece; b"" at the end of the file. Raises what the file's own stream raises."""
        while True:
            self.beyond = self._position > self._end  # of a failure: at the very end it may be a checksum's, so ours
            piece = self._pending or self._stream.read()
            self._pending = b""
            self.beyond = self._position >= self._end
            if not piece:
                if not self.beyond:
                    raise self._changed()
                return b""
            begin = self._position
            if begin < self._end < begin + len(piece):
                piece, self._pending = piece[: self._end - begin], piece[self._end - begin :]
            self._position += len(piece)
            piece = piece[max(0, self.start - begin) :]
            if not self.beyond and self._checksum is not None:
                self._found = zlib.crc32(piece, self._found)
                if self._position == self._end and self._found != self._checksum:
                    raise self._changed()
            if piece:
                return piece

    def _changed(self) -> PreprocessingError:
        return PreprocessingError(
            f"{self.name} does not hold between its bytes {self.start:,} and {self._end:,}, decoded, what it held when "
            "the build was planned; when nobody writes to it any more, run the same command again."
        )
