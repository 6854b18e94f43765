"""bzip2, block by block from any block on, decoded a few at a time as `preprocessing.sources.bzip2` does.

Every block's checksum is verified, wherever the reading begins; that of a whole stream, where it is read from its
start.
"""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.bzip2 import (
    BLOCK_MARK,
    CHECKSUM_BITS,
    END_MARK,
    HEADER_BITS,
    INCOMPLETE,
    LANES,
    LONGEST_BLOCK_BYTES,
    MARK_BITS,
    MOST_BYTES,
    RANDOMISED,
    WHOLE,
    Lanes,
    bits_of,
    checksum_of,
    combined,
    decode_block,
    pieces_of,
)
from preprocessing.sources.stored_stream import damaged, open_stored, truncated

_STORED_BYTES = 1 << 20  # some four blocks
_LEVEL_BYTES = 100_000


@dataclass(frozen=True)
class _Block:
    """A decoded block, `[begin, end)` in bits of the file: its text, or its bytes in order, runs not written out."""

    begin: int
    end: int
    checksum: int
    content: bytes | np.ndarray

    def text(self) -> bytes | None:
        """None where the block is damaged."""
        if isinstance(self.content, bytes):
            return self.content
        with suppress(OSError):
            text = b"".join(pieces_of(self.content))
            if checksum_of((text,)) == self.checksum:
                return text
        return None


class Bzip2BlockStream:
    """The text of the blocks that begin in `[start, end)`, both in stored bits, and then, if asked, what follows.

    `start` is 0 or a block's first bit. `offset` counts stored bytes, `beyond` is true when the block read last begins
    at or behind `end`. In memory: four blocks (4 MB each, 4 MB for all), and the text of one: 900 kB,
    at most 46 MB where it is one long run of a byte.
    """

    def __init__(self, path: str, name: str, start: int = 0, end: int | None = None) -> None:
        self.name = name
        self.start = start
        self.beyond = False
        self.ignored = 0  # what lies behind the last stream is damage here: planning cuts no such file
        self._end = end
        self._file = open_stored(path, name)
        self._position = start  # the next block, header or end, in bits of the file
        self._base = start // 8  # of _data in the file, bytes
        self._file.seek(self._base)
        self._data = b""
        self._words: np.ndarray | None = None  # of `_data`, once they are asked for
        self._blocks: deque[_Block] = deque()  # before the position and not given out
        self._at_once = 1  # block, the first time: planning only asks whether it is one
        self._most = MOST_BYTES  # of a block; below the highest level it is known once a stream's head is read
        self._at_end = False
        self._between_streams = start == 0
        # Of a stream that was entered in its middle the first checksums are not known.
        self._checksum: int | None = None

    def __enter__(self) -> "Bzip2BlockStream":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    @property
    def offset(self) -> int:
        """Stored bytes from the start of the file to what is read next."""
        return (self._blocks[0].begin if self._blocks else self._position) // 8

    def read(self) -> bytes:
        """The text of the next block; b"" at the end of the file.

        Raises TruncatedInputError when the file ends inside a stream, PreprocessingError when it is damaged.
        """
        if not self._blocks:
            self._read_blocks()
        if not self._blocks:
            return b""
        block = self._blocks[0]
        self.beyond = self._end is not None and block.begin >= self._end
        text = block.text()
        if text is None:
            raise self._damaged("Invalid data stream")
        if self._end is not None and block.begin < self._end < block.end:
            raise self._damaged(f"no block begins at bit {self._end:,}")
        self._blocks.popleft()
        return text

    def _read_blocks(self) -> None:
        """Decodes the next block, or the next four of the range; none at the end of the file."""
        lanes = Lanes()
        found: list[tuple[int, int, int, bytes | None]] = []
        try:
            while len(found) < self._at_once and not (found and self._is_beyond()) and self._read_block(lanes, found):
                pass
        except TransientError:
            raise
        except PreprocessingError:  # met again behind the blocks before it
            if not found:
                raise
        self._at_once = LANES
        texts = iter(lanes.texts())
        for begin, end, checksum, text in found:
            self._blocks.append(_Block(begin, end, checksum, next(texts) if text is None else text))

    def _is_beyond(self) -> bool:
        return self._end is not None and self._position >= self._end

    def _begin_stream(self) -> bool:
        if not self._load(8):
            return False
        header = self._bits(HEADER_BITS).to_bytes(4, "big")
        if header[:3] != b"BZh" or not b"1" <= header[3:] <= b"9":
            raise self._damaged("Invalid data stream")
        self._position += HEADER_BITS
        self._most = _LEVEL_BYTES * int(header[3:])
        self._checksum, self._between_streams = 0, False
        return True

    def _end_stream(self) -> None:
        if self._checksum not in (None, self._bits(CHECKSUM_BITS, MARK_BITS)):
            raise self._damaged("Invalid data stream")
        self._position = (self._position + MARK_BITS + CHECKSUM_BITS + 7) // 8 * 8
        self._between_streams = True

    def _read_block(self, lanes: Lanes, found: list[tuple[int, int, int, bytes | None]]) -> bool:
        """Puts the next block into a lane, or its text into `found`; False at the end of the file."""
        while True:
            if not found:
                self.beyond = self._is_beyond()
            if self._between_streams and not self._begin_stream():
                return False
            mark = self._bits(MARK_BITS)
            if mark != END_MARK:
                break
            self._end_stream()
        if mark != BLOCK_MARK:
            raise self._damaged("Invalid data stream")
        checksum = self._bits(CHECKSUM_BITS, MARK_BITS)
        kind, end = self._decode(lanes)
        while kind == INCOMPLETE and len(self._data) <= self._position // 8 - self._base + LONGEST_BLOCK_BYTES:
            if not self._more():
                raise self._truncated()
            kind, end = self._decode(lanes)
        text = None
        if kind == RANDOMISED:
            with suppress(OSError):
                text = decode_block(self._data, self._position - 8 * self._base, end - 8 * self._base, checksum)
        if kind != WHOLE and text is None:
            raise self._damaged("Invalid data stream")
        if self._checksum is not None:
            self._checksum = combined(self._checksum, checksum)
        found.append((self._position, end, checksum, text))
        self._position = end
        return True

    def _decode(self, lanes: Lanes) -> tuple[int, int]:
        """(what became of the block at the position, the bit of the file behind it)."""
        if self._words is None:
            self._words = np.frombuffer(self._data + bytes(-len(self._data) % 4), ">u4").astype(np.uint32)
        begin = self._position + MARK_BITS + CHECKSUM_BITS - 8 * self._base
        kind, end = lanes.read(self._words, 8 * len(self._data), begin, self._most)
        return kind, end + 8 * self._base

    def _bits(self, count: int, behind: int = 0) -> int:
        """`count` bits of the file, `behind` bits after the position."""
        if not self._load(behind + count):
            raise self._truncated()
        return bits_of(self._data, self._position + behind - 8 * self._base, count)

    def _load(self, count: int) -> bool:
        """Whether so many bits follow."""
        while 8 * (self._base + len(self._data)) - self._position < count:
            if not self._more():
                return False
        return True

    def _more(self) -> bool:
        """Forgets what lies behind and reads on; False at the end of the file."""
        if self._at_end:
            return False
        block = self._file.read(_STORED_BYTES) or b""
        self._at_end = not block
        used = min(self._position // 8 - self._base, len(self._data))
        self._data, self._words = self._data[used:] + block, None
        self._base += used
        return not self._at_end

    def _truncated(self) -> PreprocessingError:
        return truncated(self.name, "bz2", self._base + len(self._data))

    def _damaged(self, reason: str) -> PreprocessingError:
        return damaged(self.name, "bz2", self.offset, reason)
