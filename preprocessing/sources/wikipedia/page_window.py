"""The part of a dump that is in memory, and the tags around pages in it."""

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.stored_stream import PlainStream, TruncatedInputError

OPEN, CLOSE, END = b"<page>", b"</page>", b"</mediawiki>"
_OPEN_NAME = OPEN[:-1]
_OVERLAP = len(END) - 1
_KEPT_BYTES = 4096


def find_open(data: bytes, start: int, stop: int | None = None) -> int:
    """Where the next `<page>` begins, or -1; other programs give it attributes, and those are then part of the page."""
    stop = len(data) if stop is None else stop
    found = data.find(_OPEN_NAME, start, stop - 1)
    while found >= 0 and data[found + len(_OPEN_NAME)] not in b"> \t\r\n":
        found = data.find(_OPEN_NAME, found + 1, stop - 1)
    return found


class Window:
    """`buffer[start:]` is unread, `buffer[:in_range]` belongs to the stream's range, `buffer[start:searched]` holds no
    tag that was looked for."""

    def __init__(self, stream: PlainStream) -> None:
        self.stream = stream
        self.is_done = False
        """No further page begins in the range."""
        self.fault: PreprocessingError | None = None
        """Why the range does not end as it should."""
        self.end_tag = b""
        """What ended the page that was taken last; empty at the end of the file."""
        self._buffer = b""
        self._start = self._searched = self._in_range = self._end = 0
        self._is_first = True  # no page has been found
        self._failure: PreprocessingError | None = None

    @property
    def held(self) -> int:
        return len(self._buffer) - self._start

    def read(self) -> bool:
        """Forget what lies before `start` and append a piece; False when there is none."""
        used = self._start
        if self._failure is not None:
            return False
        try:
            piece = self.stream.read()
        except TransientError:  # says nothing of the file: whose range it is does not matter
            raise
        except PreprocessingError as failure:
            self._failure = failure
            return False
        self._buffer = self._buffer[used:] + piece
        self._start = 0
        self._searched = max(0, self._searched - used)
        self._in_range = max(0, self._in_range - used) if self.stream.beyond else len(self._buffer)
        return bool(piece)

    def find_page(self) -> int:
        """Move behind the next `<page>`, or set `is_done`; returns how many `</page>` were passed that close nothing.

        `fault` then says what is wrong with the end of the range, for who reads pages to raise.
        """
        # What stands before the first page of a range may be the rest of a page of the range before.
        is_ours = not self._is_first or self.stream.start == 0
        strays = 0
        is_complete = False
        while True:
            found = find_open(self._buffer, self._start)
            stop = found if found >= 0 else len(self._buffer)
            if is_ours:
                strays += self._buffer.count(CLOSE, self._start, stop)
                is_complete = is_complete or self._buffer.find(END, self._start, stop) >= 0
            if 0 <= found < self._in_range:
                self._start = self._searched = found + len(OPEN)
                self._is_first = False
                return strays
            is_beyond = self.stream.beyond and len(self._buffer) >= self._in_range + len(OPEN) - 1
            if found >= 0 or (is_beyond and not is_ours):
                self.is_done = True
                return strays
            # No tag is cut in two; and one that was counted is not counted again.
            self._start = max(self._start, self._after_last_tag(), len(self._buffer) - _OVERLAP)
            if not self.read():
                self.is_done = True
                if self._failure is not None:
                    # Where the stream fails behind the range, another range begins, which meets the same.
                    self.fault = None if self.stream.beyond else self._failure
                elif is_ours and not is_complete:
                    self.fault = self._incomplete()
                return strays

    def _after_last_tag(self) -> int:
        """Where to go on so that no tag is counted twice; 0 where there is none."""
        found = ((self._buffer.rfind(tag, self._start), tag) for tag in (CLOSE, END))
        return max(at + len(tag) if at >= 0 else 0 for at, tag in found)

    def find_end(self) -> bool:
        """Whether the open page ends in memory; what was searched once is not searched again."""
        close = self._buffer.find(CLOSE, self._searched)
        following = find_open(self._buffer, self._searched, close if close >= 0 else len(self._buffer))
        if following >= 0:
            self._end, self.end_tag = following, OPEN
        elif close >= 0:
            self._end, self.end_tag = close, CLOSE
        else:
            self._end, self.end_tag = len(self._buffer), b""
            self._searched = max(self._searched, len(self._buffer) - len(CLOSE) + 1)
        return bool(self.end_tag)

    def take(self) -> bytes:
        """The page up to its end, which `find_end` looked for."""
        blob = self._buffer[self._start : self._end]
        end = blob.find(END) if self.end_tag != CLOSE else -1
        if end >= 0:  # the last page of a dump, which may be followed by another dump
            blob, self._end = blob[:end], self._start + end
        self._start = self._end + len(CLOSE) * (self.end_tag == CLOSE)
        self._searched = self._start
        return blob

    def why_open(self) -> str:
        """Why the page that was taken last has no end."""
        if self.end_tag == OPEN or self._buffer.startswith(END, self._start):
            return "it has no </page>"
        damage = self._failure is not None and not isinstance(self._failure, TruncatedInputError)
        return "the file is damaged inside it" if damage else "the file ends inside it"

    def drop_middle(self) -> None:
        """Of a page that is too large keep the beginning, where its number stands, and the last bytes read."""
        kept = self._buffer[self._start : self._start + _KEPT_BYTES] + b" " * len(CLOSE)
        rest = max(self._start, self._searched - len(END))
        dropped = rest - len(kept)
        if dropped <= self._start:
            return
        self._buffer = kept + self._buffer[rest:]
        self._searched -= dropped
        self._start = 0
        self._in_range = max(0, self._in_range - dropped)

    def _incomplete(self) -> PreprocessingError:
        return TruncatedInputError(
            f"{self.stream.name} ends at byte {self.stream.offset:,} without </mediawiki>: it is not complete; "
            "fetch it again, or keep its complete pages with --accept-truncated."
        )
