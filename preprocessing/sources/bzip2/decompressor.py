"""A bzip2 stream, bytes in and text out, with the methods and attributes of `bz2.BZ2Decompressor`.

Several blocks are decoded together where they lie there (`transform` says why). Text is given out block by block, and
only where the block's checksum is right. Blocks as bzip2 0.9.0 wrote them are left to Python's `bz2`.
"""

import itertools
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from preprocessing.sources.bzip2.framing import (
    BLOCK_MARK,
    CHECKSUM_BITS,
    END_MARK,
    HEADER_BITS,
    INVALID,
    LONGEST_BLOCK_BYTES,
    MARK_BITS,
    bits_of,
    checksum_of,
    combined,
    decode_block,
)
from preprocessing.sources.bzip2.lanes import Lanes
from preprocessing.sources.bzip2.symbols import DAMAGED, INCOMPLETE, RANDOMISED
from preprocessing.sources.bzip2.transform import pieces_of

_LEVEL_BYTES = 100_000


class Bzip2Decompressor:
    """Decodes one stream.

    In memory: what was given and is not decoded, twice, at most four blocks (4 MB each, 4 MB for all), and of text
    1 MiB. What is given at once should be 1 MiB at most; a block that is longer than any program writes is refused.
    """

    def __init__(self) -> None:
        self.eof = False
        self.needs_input = True
        self.unused_data = b""
        self._data = b""
        self._bit = 0  # of `_data`, the next one
        self._words: np.ndarray | None = None  # of `_data`, once they are asked for
        self._most = 0  # bytes of a block; 0 before the head of the stream is read
        self._checksum = 0  # of all blocks so far
        # In order, with their checksums; of a block that is whole already its text.
        self._blocks: deque[tuple[np.ndarray | bytes, int]] = deque()
        self._pieces: Iterator[bytes] = iter(())  # of the block that is given out
        self._text = b""
        self._given = 0  # of `_text`
        self._following: bytes | None = None  # what stands behind the stream
        self._failure = ""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most `max_length` bytes of text, perhaps none; `data` are the bytes that follow on those given before.

        Raises OSError where the stream is damaged, after the text of all blocks before that; EOFError behind its end.
        """
        if self.eof:
            raise EOFError("End of stream already reached")
        if data:
            used = self._bit // 8
            self._data, self._bit, self._words = self._data[used:] + data, self._bit - 8 * used, None
        if self._given == len(self._text) and not self._next_piece():
            if not self._blocks and not self._failure and self._following is None:
                self._read()
            self._open_block()
            self._next_piece()
        end = len(self._text) if max_length < 0 else min(len(self._text), self._given + max_length)
        piece = self._text[self._given : end]
        self._given = end
        if self._given == len(self._text) and not self._blocks and not self._next_piece():
            if self._failure and not piece:
                raise OSError(self._failure)
            if self._following is not None and not self._failure:
                self.eof, self.unused_data = True, self._following
        return piece

    def _next_piece(self) -> bool:
        self._text, self._given = next(self._pieces, b""), 0
        return bool(self._text)

    def _open_block(self) -> None:
        """Goes on to the next block, if there is one and its checksum is right."""
        if not self._blocks:
            return
        block, checksum = self._blocks.popleft()
        if isinstance(block, bytes):
            self._pieces = iter((block,))
            return
        with suppress(OSError):
            pieces = pieces_of(block)
            first = list(itertools.islice(pieces, 2))
            if checksum_of(itertools.chain(first, pieces)) == checksum:
                self._pieces = iter(first) if len(first) < 2 else pieces_of(block)
                return
        self._failure, self._following = INVALID, None
        self._blocks.clear()

    def _read(self) -> None:
        """Decodes the next blocks that lie there whole, at most four."""
        self.needs_input = False
        if not self._most and not self._read_head():
            return
        lanes = Lanes()
        read: list[tuple[bytes | None, int]] = []
        while not lanes.is_full and self._read_block(lanes, read):
            pass
        texts = iter(lanes.texts())
        self._blocks.extend((next(texts) if text is None else text, checksum) for text, checksum in read)
        if not self._failure and self._following is None and not self._blocks:
            self.needs_input = True

    def _read_head(self) -> bool:
        head = self._data[: HEADER_BITS // 8]
        if not b"BZh".startswith(head[:3]) or (len(head) == 4 and not b"1" <= head[3:] <= b"9"):
            self._failure = INVALID
        elif len(head) < 4:
            self.needs_input = True
        else:
            self._bit, self._most = HEADER_BITS, _LEVEL_BYTES * int(head[3:])
        return self._most > 0

    def _read_block(self, lanes: Lanes, read: list[tuple[bytes | None, int]]) -> bool:
        """Puts the next block into a lane, or its text into `read`; False where none is there, or the stream ends."""
        available = 8 * len(self._data)
        begin = self._bit + MARK_BITS + CHECKSUM_BITS
        if begin > available:
            return False
        mark = bits_of(self._data, self._bit, MARK_BITS)
        checksum = bits_of(self._data, begin - CHECKSUM_BITS, CHECKSUM_BITS)
        if mark == END_MARK and checksum == self._checksum:
            self._following = self._data[(begin + 7) // 8 :]
            return False
        found, end = DAMAGED, begin
        if mark == BLOCK_MARK:
            if self._words is None:
                self._words = np.frombuffer(self._data + bytes(-len(self._data) % 4), ">u4").astype(np.uint32)
            found, end = lanes.read(self._words, available, begin, self._most)
        if found == INCOMPLETE and available - begin <= 8 * LONGEST_BLOCK_BYTES:
            return False
        text = self._mixed(end, checksum) if found == RANDOMISED else None
        if found in (DAMAGED, INCOMPLETE) or self._failure:
            self._failure = INVALID
            return False
        self._bit, self._checksum = end, combined(self._checksum, checksum)
        read.append((text, checksum))
        return True

    def _mixed(self, end: int, checksum: int) -> bytes:
        with suppress(OSError):
            if text := decode_block(self._data, self._bit, end, checksum):
                return text
        self._failure = INVALID
        return b""
