"""The bytes of a dump, decompressed piece by piece, with the offset for every complaint.

A range of a file is read to its end, and on request beyond it: a page that begins inside a range may end outside.
Memory is bounded whatever the file holds: pieces have a fixed size, and a decompressor is never asked for more.
"""

import lzma
import re
import zlib
from typing import Any, BinaryIO, Protocol

import zstandard

from preprocessing.errors import PreprocessingError, of_system
from preprocessing.sources.bzip2 import Bzip2Decompressor
from preprocessing.storage import open_file

PIECE_BYTES = 1 << 20
_STORED_BYTES = 1 << 18
# Of bzip2 so many times as much: four blocks, which are decoded together.
_BZIP2_BLOCKS = 4
# A Zstandard decompressor has no output limit; run-length blocks grow 30,000 times, so it is fed little by little.
_ZSTD_STORED_BYTES = 1 << 9
# What an xz stream may ask for: its dictionary has at most 1.5 GiB where `xz` wrote it.
_XZ_MEMORY_BYTES = 1 << 31
_DAMAGED = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError)

# How a further stream of each format begins. Behind the last one `gzip` passes over zeros, `xz` over zeros by four;
# `gzip` and `bzip2` say that there is something else, and keep what they have decoded. A few bytes are that; more of
# them, or what looks like a stream whose first bytes are damaged, are not.
_NEXT = {
    "bz2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "gzip": re.compile(rb"\x1f\x8b"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zstd": re.compile(rb"(?:\x28\xb5|[\x50-\x5f]\x2a)(?:\x2f\xfd|\x4d\x18)"),
}
_LIKE_A_STREAM = {"bz2": re.compile(rb"BZh|1AY&SY|\x17rE8P\x90"), "gzip": re.compile(rb"\x1f\x8b|\x8b\x08|\A\x1f.\x08")}
# What the libraries say of data that is whole, so that to fetch it again would not help.
_UNREADABLE = {
    "Dictionary mismatch": "was compressed with a dictionary, which it does not hold",
    "too much memory": "takes more than 2 GiB of memory to decompress",
    "Memory usage limit": "takes more than 2 GiB of memory to decompress",
}
_HEAD_BYTES = 10
_PADDED = ("gzip", "xz")
_IGNORED_BYTES = 1 << 16


class TruncatedInputError(PreprocessingError):
    """A file that ends before its content does."""


class PlainStream(Protocol):
    """Decoded bytes of a range, piece by piece, and then, if asked, what follows."""

    name: str
    start: int
    beyond: bool
    ignored: int

    @property
    def offset(self) -> int: ...
    def read(self) -> bytes: ...
    def close(self) -> None: ...


def open_stored(path: str, name: str) -> BinaryIO:
    """An input file, opened to be read. Raises PreprocessingError, which calls it `name`."""
    try:
        return open_file(path, buffering=0)
    except IsADirectoryError as error:
        raise PreprocessingError(f"{name} is a folder; give the dump file itself.") from error
    except OSError as error:
        raise of_system(error, f"{name} cannot be read: {error.strerror}.") from error


def truncated(name: str, compression: str, offset: int) -> TruncatedInputError:
    """The one sentence for a file that ends inside a compressed stream."""
    return TruncatedInputError(
        f"{name} ends inside its {compression} data at byte {offset:,}; fetch it again, or keep its complete pages "
        "with --accept-truncated."
    )


def damaged(name: str, compression: str, offset: int, reason: object) -> PreprocessingError:
    """The one sentence for a compressed stream that cannot be decoded."""
    return PreprocessingError(f"{name} is damaged near byte {offset:,} ({compression}: {reason}); fetch it again.")


class StoredStream:
    """Reads `[start, end)` of a stored file and then, if asked, what follows.

    `compression` is "", "bz2", "gzip", "xz" or "zstd"; a range of a compressed file begins where a stream begins, or
    inside one, of which `decoder` then decodes the rest: with the methods and attributes of `bz2.BZ2Decompressor`.
    `beyond` is true when the piece read last lies behind `end`. `offset` counts stored bytes from the file's start,
    `ignored` those of the range, behind the last stream, that belong to none: whoever has read them must say so.
    """

    def __init__(
        self, path: str, name: str, compression: str, start: int = 0, end: int | None = None, decoder: Any = None
    ) -> None:
        self.name = name
        self.compression = compression
        self.start = self.offset = start
        self.beyond = False
        self._end = end
        self._file = open_stored(path, name)
        self._file.seek(start)
        self._decoder: Any = decoder
        self._stored = b""
        self._failure: PreprocessingError | None = None
        self.ignored = 0
        self._streams = 0  # that have ended
        self._began_beyond = False  # the one that is decoded, or what follows the last
        self._padding = 0  # zeros behind the last one

    def __enter__(self) -> "StoredStream":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def read(self) -> bytes:
        """The next piece of at most about 1 MiB; b"" at the end of the file.

        Raises TruncatedInputError when the file ends inside a compressed stream, PreprocessingError when it is damaged;
        `beyond` then says whether that stream began behind the range, so that it is another range's.
        """
        if self._failure is not None:
            self.beyond = self._began_beyond
            raise self._failure
        if not self.compression:
            return self._read_stored(PIECE_BYTES)
        pieces: list[bytes] = []
        size = 0
        try:
            # Small pieces are joined: a caller that appends them to a page must not copy the page for each.
            # But none from behind the range to some that are of it: `beyond` speaks of a whole piece.
            while size < PIECE_BYTES // 4 and (piece := self._read_decoded(may_cross=not pieces)):
                pieces.append(piece)
                size += len(piece)
        except PreprocessingError as failure:
            self._failure = failure
            if not pieces:
                self.beyond = self._began_beyond
                raise
        return b"".join(pieces)

    def _read_decoded(self, *, may_cross: bool) -> bytes:
        """The next decoded bytes; b"" at the end of the file, and without `may_cross` at that of the range."""
        while True:
            if not self._stored and (self._decoder is None or getattr(self._decoder, "needs_input", True)):
                if not may_cross and not self.beyond and self._end is not None and self.offset >= self._end:
                    return b""
                self._stored = self._read_stored()
                if not self._stored and self._decoder is None:
                    self._end_padding()
                    return b""
                if not self._stored:
                    raise truncated(self.name, self.compression, self.offset)
            if self._decoder is None:
                self._began_beyond = self.beyond
                if self._streams and not self._find_stream():
                    continue
                self._decoder = _DECODERS[self.compression]()
            piece = self._decode()
            if piece:
                return piece

    def _find_stream(self) -> bool:
        """Passes over what may lie between two streams; False when no further one has begun yet."""
        if self.compression in _PADDED:
            rest = self._stored.lstrip(b"\0")
            self._padding += len(self._stored) - len(rest)
            self._stored = rest
            if not rest:
                return False
        while len(self._stored) < _HEAD_BYTES and (more := self._read_on()):
            self._stored += more
        if _NEXT[self.compression].match(self._stored):
            self._end_padding()
            return True
        if self.compression not in _LIKE_A_STREAM:
            raise damaged(self.name, self.compression, self.offset, "what follows its last stream is none")
        while len(self._stored) <= _IGNORED_BYTES and (more := self._read_on()):
            self._stored += more
        if len(self._stored) > _IGNORED_BYTES or _LIKE_A_STREAM[self.compression].search(self._stored):
            raise damaged(self.name, self.compression, self.offset, "a stream does not begin as one")
        self.ignored, self._stored = 0 if self._began_beyond else len(self._stored), b""
        return False

    def _read_on(self) -> bytes:
        """More of what has begun, but nothing from behind a range in which it began."""
        at_end = self._end is not None and self.offset >= self._end and not self._began_beyond
        return b"" if at_end else self._read_stored()

    def _end_padding(self) -> None:
        padding, self._padding = self._padding, 0
        if self.compression == "xz" and padding % 4:
            raise damaged(self.name, "xz", self.offset, f"{padding} zero bytes behind a stream, not a multiple of four")

    def _decode(self) -> bytes:
        stored, self._stored = self._stored, b""
        try:
            piece = self._decoder.decompress(stored, PIECE_BYTES)
        except _DAMAGED as error:
            for words, what in _UNREADABLE.items():
                if words in str(error):
                    raise PreprocessingError(f"{self.name} {what}; unpack it, or compress it anew.") from error
            raise damaged(self.name, self.compression, self.offset, error) from error
        if self._decoder.eof:
            self._stored = self._decoder.unused_data
            self._decoder = None
            self._streams += 1
        return piece

    def _read_stored(self, size: int | None = None) -> bytes:
        if size is None:
            size = _ZSTD_STORED_BYTES if self.compression == "zstd" else _STORED_BYTES
            if self.compression == "bz2" and not self.beyond:  # what is read beyond the range is little
                size *= _BZIP2_BLOCKS
        # Never across `end`: what is decoded before it is reached belongs to the range.
        if self._end is not None:
            self.beyond = self.offset >= self._end
            if not self.beyond:
                size = min(size, self._end - self.offset)
        stored = self._file.read(size) or b""
        self.offset += len(stored)
        return stored


class _Gzip:
    """zlib's decompressor with the interface of those for bz2 and xz."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(wbits=31)

    def decompress(self, stored: bytes, limit: int) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + stored, limit)

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data


class _Zstandard:
    """The same for Zstandard, whose output has no limit."""

    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()

    def decompress(self, stored: bytes, limit: int) -> bytes:
        return self._decoder.decompress(stored)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data


_DECODERS: dict[str, Any] = {
    "bz2": Bzip2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES),
    "gzip": _Gzip,
    "zstd": _Zstandard,
}
