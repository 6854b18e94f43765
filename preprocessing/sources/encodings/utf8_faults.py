"""Files that are UTF-8 but for some bytes: pieced together from several sources, or damaged."""

import codecs
import re
from dataclasses import dataclass

# Python's `surrogateescape` marks each byte that does not decode by one of these.
_BAD = re.compile("[\udc80-\udcff]")


@dataclass
class Utf8Faults:
    """Fed with the blocks of a file in order; where its first bad byte is, how many there are, and how many good
    characters above ASCII. Lines count from 1, bytes from 0."""

    bad_bytes: int = 0
    good_characters: int = 0
    first_line: int = 0
    first_offset: int = 0
    first_byte: int = 0

    def __post_init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._lines, self._bytes = 1, 0

    def add(self, block: bytes, *, final: bool = False) -> None:
        """The next block of the file."""
        text = self._decoder.decode(block, final)
        if not text.isascii():
            bad = len(_BAD.findall(text))
            self.good_characters += _above_ascii(text) - bad
            if bad and not self.bad_bytes:
                self._place_first(text)
            self.bad_bytes += bad
        if not self.bad_bytes:
            self._lines += text.count("\n")
            self._bytes += len(text.encode("utf-8", "surrogateescape"))

    @property
    def is_mostly_utf8(self) -> bool:
        """Whether there are more characters of UTF-8 than bytes that are none: in no other encoding by chance."""
        return self.good_characters > self.bad_bytes

    def _place_first(self, text: str) -> None:
        match = _BAD.search(text)
        assert match is not None  # there is one, as they were counted
        before = text[: match.start()]
        self.first_line = self._lines + before.count("\n")
        self.first_offset = self._bytes + len(before.encode("utf-8"))
        self.first_byte = ord(match[0]) - 0xDC00


def _above_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))
