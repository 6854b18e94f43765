"""bzip2, block by block from any block on: each is framed as a stream of its own and decoded by Python's `bz2`.

So every block's checksum is verified, wherever the reading begins; that of a whole stream, where it is read from its
start.
"""

import bz2

import numpy as np

from preprocessing.errors import PreprocessingError
from preprocessing.sources.seeking.bzip2_marks import (
    BLOCK_MARK,
    CHECKSUM_BITS,
    END_MARK,
    HEADER_BITS,
    MARK_BITS,
    bits_of,
    combined,
    find_marks,
)
from preprocessing.sources.stored_stream import damaged, open_stored, truncated

_STORED_BYTES = 1 << 18
# The longest block: 900,000 symbols of at most 17 bits (20 in theory), its tables, with room to spare.
_LONGEST_BLOCK_BYTES = 4 << 20
# Marks inside the data of one block: by chance there is hardly ever one.
_MARKS_TRIED = 64


class Bzip2BlockStream:
    """The text of the blocks that begin in `[start, end)`, both in stored bits, and then, if asked, what follows.

    `start` is 0 or a block's first bit. `offset` counts stored bytes, `beyond` is true when the block read last begins
    at or behind `end`. One block is held in memory: 900 kB, at most 46 MB where it is one long run of a byte.
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
        self._marks: list[int] = []  # found and not behind, in bits of the file
        self._searched = self._base
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
        return self._position // 8

    def read(self) -> bytes:
        """The text of the next block; b"" at the end of the file.

        Raises TruncatedInputError when the file ends inside a stream, PreprocessingError when it is damaged.
        """
        while True:
            self.beyond = self._end is not None and self._position >= self._end
            if self._between_streams and not self._begin_stream():
                return b""
            begin = self._position
            mark = self._bits(MARK_BITS)
            if mark == END_MARK:
                self._end_stream()
                continue
            if mark != BLOCK_MARK:
                raise self._damaged("Invalid data stream")
            piece = self._read_block()
            if self._end is not None:
                if begin < self._end < self._position:
                    raise self._damaged(f"no block begins at bit {self._end:,}")
                self.beyond = begin >= self._end
            if piece:
                return piece

    def _begin_stream(self) -> bool:
        if not self._load(8):
            return False
        header = self._bits(HEADER_BITS).to_bytes(4, "big")
        if header[:3] != b"BZh" or not b"1" <= header[3:] <= b"9":
            raise self._damaged("Invalid data stream")
        self._position += HEADER_BITS
        self._checksum, self._between_streams = 0, False
        return True

    def _end_stream(self) -> None:
        if self._checksum not in (None, self._bits(CHECKSUM_BITS, MARK_BITS)):
            raise self._damaged("Invalid data stream")
        self._position = (self._position + MARK_BITS + CHECKSUM_BITS + 7) // 8 * 8
        self._between_streams = True

    def _read_block(self) -> bytes:
        checksum = self._bits(CHECKSUM_BITS, MARK_BITS)
        failure = ""
        end = self._position
        for _ in range(_MARKS_TRIED):
            following = self._mark_behind(end)
            if following is None:
                break
            end = following
            begins = 8 * self._base
            try:
                piece = decode_block(self._data, self._position - begins, end - begins, checksum)
            except (OSError, ValueError) as error:
                failure, piece = str(error), None
            if piece is not None:
                if self._checksum is not None:
                    self._checksum = combined(self._checksum, checksum)
                self._position = end
                return piece
            # A mark that is none: the block goes on behind it.
        if self._at_end and not failure:
            raise self._truncated()
        raise self._damaged(failure or "Invalid data stream")

    def _mark_behind(self, bit: int) -> int | None:
        """The first mark behind `bit`; None where the file or the longest block ends before there is one."""
        while True:
            for mark in self._marks:
                if mark > bit:
                    return mark
            if len(self._data) > self._position // 8 - self._base + _LONGEST_BLOCK_BYTES or not self._more():
                return None

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
        """Forgets what lies behind and reads on; False when all of the file has been looked at."""
        if self._at_end:
            return False
        block = self._file.read(_STORED_BYTES) or b""
        self._at_end = not block
        used = min(self._position // 8 - self._base, len(self._data))
        self._data = self._data[used:] + block
        self._base += used
        # `find_marks` leaves ten bytes, which are looked at with what follows them.
        searchable = np.frombuffer(self._data + (bytes(10) if self._at_end else b""), np.uint8)
        start = max(0, self._searched - self._base)
        self._marks = [mark for mark in self._marks if mark > self._position]
        self._marks += [8 * self._base + bit for bit, _ in find_marks(searchable, start)]
        self._searched = self._base + max(start, len(searchable) - 10)
        return True

    def _truncated(self) -> PreprocessingError:
        return truncated(self.name, "bz2", self._base + len(self._data))

    def _damaged(self, reason: str) -> PreprocessingError:
        return damaged(self.name, "bz2", self.offset, reason)


def decode_block(data: bytes, start: int, end: int, checksum: int) -> bytes | None:
    """The text of the block in the bits `[start, end)` of `data`; None when it does not end there. Raises OSError."""
    shift, count = start % 8, end - start
    stored = np.frombuffer(data, np.uint8, (end + 7) // 8 - start // 8, start // 8)
    if shift:
        following = np.append(stored[1:], np.uint8(0))
        stored = (stored << np.uint8(shift)) | (following >> np.uint8(8 - shift))
    whole, rest = divmod(count, 8)
    tail = int(stored[whole]) >> (8 - rest) if rest else 0
    tail = ((tail << MARK_BITS | END_MARK) << CHECKSUM_BITS) | checksum
    bits = rest + MARK_BITS + CHECKSUM_BITS
    framed = b"BZh9" + stored[:whole].tobytes() + (tail << (-bits % 8)).to_bytes((bits + 7) // 8, "big")
    decoder = bz2.BZ2Decompressor()
    piece = decoder.decompress(framed)
    return piece if decoder.eof else None
