"""Project Gutenberg's own text around a book, told by where it stands and how it looks.

A *region* begins at the start of the file, or at a line that can only be the project's: an end marker, the title line
of another header, the "small print". Its lines are held until it is clear what it is: a header, which a start marker
or the end of the small print closes; a licence, after which nothing follows; or running text again. It goes when at
least three quarters of it look like the project's own words, and when all that goes without looking so is no more than
a tenth of the book; otherwise it stays, and is counted. Unknown text of a line or two before a start marker, or of a
licence's length behind an end marker that stands alone at the end, needs to pass the second test only. So a book that
quotes a marker keeps every line, a poem of one page loses a licence twenty times as long, and books that stand in one
file lose what stands between them.
"""

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from preprocessing.sources.books.gutenberg_marks import kind_of, looks_own, title_of
from preprocessing.tally import Tally

# The longest small prints end within some 400 lines, and the licence has as many.
_HEADER_LINES = 1000
_HELD_LINES = 4000
_HELD_CHARACTERS = 1 << 19
# So much text without a word of the project's is the book again.
_PROSE_CHARACTERS = 3000
_LEAST_LICENCE = 400
_LONGEST_TAIL = 100
_OWN_SHARE = 0.75
_LOST_SHARE = 0.1
# Before a start marker, and behind an end marker that stands alone: text that looks like nothing known, but is short.
_SHORT_HEADER = 200
_SHORT_LICENCE = 20_000
_LITTLE = 500  # characters; of a page of verse a tenth is less than a line
_WRAPPED_LINES = 4
# So much is read ahead at most to see whether a book is long enough: ten times what a region holds, and as many lines
# as a long book has.
_AHEAD_CHARACTERS = 10 * _HELD_CHARACTERS
_AHEAD_LINES = 100_000


@dataclass(frozen=True, slots=True)
class Header:
    """What the header said. `found` is false when the text had none."""

    found: bool
    title: str


def strip_gutenberg(lines: Iterator[str], name: str, tally: Tally) -> tuple[Header, Iterator[str]]:
    """The header's facts, and the book's own lines.

    At most 4,000 lines, or half a million characters, are held to be judged, and ten times as much (100,000 lines, or
    five million characters) is read ahead where it must be seen that a book is long enough to lose a part.

    Counters: `gutenberg.header_lines`, `gutenberg.footers`; `gutenberg.kept_whole` for text that has the marks but not
    the looks, whose place (`name`, line) is noted.
    """
    book = _Book(lines, name, tally)
    body = book.lines()
    first = list(itertools.islice(body, 1))  # with it the header is decided on
    return Header(book.has_header, book.title), itertools.chain(first, body)


@dataclass(slots=True)
class _Region:
    """Lines that may be the project's own, with the characters of blocks that look so (`own`) and that do not."""

    kind: str
    line: int
    held: list[str] = field(default_factory=list)
    characters: int = 0
    own: int = 0
    unlike: int = 0
    tail: int = 0
    """Characters of blocks since the last one that looks own: behind `cut`."""
    cut: int = 0
    leading: int = -1
    """Lines of the run of own blocks that the region begins with; -1 while it lasts."""
    named: bool = False
    _block: int = 0
    _is_own: bool = False
    _judged: int = 0
    _markers: set[int] = field(default_factory=set)

    def add(self, line: str, kind: str) -> None:
        if kind in ("start", "end", "alone", "print_end"):
            self._markers.add(len(self.held))
        self.held.append(line)
        self.characters += len(line) + 1
        if self.kind != "file" or kind == "title":  # of most files no more is asked than whether they have a marker
            self.judge()
            self.named = self.named or (kind == "title" and self.leading < 0)

    def judge(self) -> None:
        """Looks at the lines that were added since."""
        for number in range(self._judged, len(self.held)):
            line = self.held[number]
            if number in self._markers or not line or line.isspace():
                self.end_block(number)
            if line and not line.isspace():
                self._block += len(line)
                self._is_own = self._is_own or looks_own(line)
            if number in self._markers:  # what stands right below it is another block
                self.end_block(number + 1)
        self._judged = len(self.held)

    def end(self) -> None:
        """The same, and takes the last line for the end of a block."""
        self.judge()
        self.end_block(len(self.held))

    def end_block(self, end: int) -> None:
        """Counts the block that ends before line `end`."""
        if self._block and self._is_own:
            self.own += self._block
            self.unlike += self.tail
            self.tail, self.cut = 0, end
        elif self._block:
            self.tail += self._block
            if self.leading < 0:
                self.leading = self.cut
        self._block, self._is_own = 0, False

    @property
    def looks_own(self) -> bool:
        return self.own >= _OWN_SHARE * (self.own + self.unlike)

    @property
    def is_alone(self) -> bool:
        """Whether it begins with a starred end marker between blank lines, and nothing known has followed."""
        return self.kind == "alone" and self.cut <= 1 and not any(map(str.strip, self.held[1:2]))

    @property
    def is_over(self) -> bool:
        """Whether nothing more is held: running text has begun again, or there is too much of it."""
        if self.kind == "file":
            return len(self.held) >= _HEADER_LINES or self.characters > _HELD_CHARACTERS
        return (
            self.tail > (_SHORT_LICENCE if self.is_alone else _PROSE_CHARACTERS)
            or len(self.held) >= _HELD_LINES
            or self.characters > _HELD_CHARACTERS
        )


class _Book:
    """Walks through the lines of one file."""

    def __init__(self, lines: Iterator[str], name: str, tally: Tally) -> None:
        self.has_header, self.title = False, ""
        self._lines, self._name, self._tally = lines, name, tally
        self._ahead: deque[str] = deque()
        self._ahead_characters = self._ahead_unlike = 0  # of the lines ahead: all, and those that do not look own
        self._number = 0
        self._kept = self._lost = 0  # characters of the book that stay, and that go without looking own

    def lines(self) -> Iterator[str]:
        """All lines apart from those that go."""
        region: _Region | None = _Region("file", 1)
        previous = ""
        lines, ahead = self._lines, self._ahead
        line: str | None
        while True:
            if region is None and not ahead:  # as nearly always: nothing but this loop is paid for most lines
                number, kept = self._number, self._kept
                line = None
                for plain in lines:
                    number += 1
                    if "utenberg" in plain or "UTENBERG" in plain or "SMALL PRINT" in plain or "Small Print" in plain:
                        line = plain
                        break
                    kept += len(plain)
                    previous = plain
                    yield plain
                self._number, self._kept = number, kept
            else:
                line = self._next_ahead() if ahead else next(lines, None)
                self._number += 1
            if line is None:
                break
            kind = kind_of(line, not previous or previous.isspace()) if _has_word(line) else ""
            previous = line
            if region is not None and self._begins_anew(region, kind):
                yield from self._resolve(region, 0)
                region = None
            if region is None:
                if kind not in ("end", "alone", "print", "print_end", "title"):
                    self._kept += len(line)
                    yield line
                    continue
                region = _Region("end" if kind == "print_end" else kind, self._number)
            region.add(line, kind)
            closed = 0
            if kind == "start":
                for _ in range(self._wrapped_lines(line)):
                    region.add(self._next_ahead(), "")
                    self._number += 1
            if kind == "start" or (kind == "print_end" and region.kind not in ("end", "alone")):
                region.end()
                closed = len(region.held)
            if closed or region.is_over:
                yield from self._resolve(region, closed)
                region = None
        if region is not None:
            yield from self._resolve(region, 0, at_end=True)

    @staticmethod
    def _begins_anew(region: _Region, kind: str) -> bool:
        """Whether a marker of this kind belongs to another region than the one that is held."""
        if kind not in ("end", "alone", "print") and (kind != "print_end" or region.kind != "file"):
            return False
        region.end()
        if kind in ("end", "alone") and region.kind in ("file", "title"):
            return bool(region.unlike or region.tail)  # a header that nothing has closed is none
        if region.named and region.kind in ("file", "title"):
            return False  # the small print is a part of such a header
        return region.own < _OWN_SHARE * (region.own + region.unlike + region.tail)

    def _resolve(self, region: _Region, closed: int, at_end: bool = False) -> Iterator[str]:
        """What of the region stays; what goes is counted. `closed` is where a marker closes it, 0 without one."""
        if at_end and (region.named or region.kind != "file"):
            region.end()
        elif region.named:
            region.judge()
        cut = self._cut_of(region, closed, at_end)
        held = region.held
        if cut:
            if region.kind == "file":
                self.has_header = True
                self._tally.count("gutenberg.header_lines", cut)
                self.title = title_of(held[:cut])
            else:
                self._tally.count("gutenberg.headers" if closed else "gutenberg.footers")
        elif closed or region.kind in ("end", "alone", "print"):
            reason = "its marker of Project Gutenberg stands in text that does not look like a header or a licence"
            self._tally.lose_part(f"{self._name} line={region.line}", reason, "gutenberg.kept_whole")
        self._kept += sum(map(len, held[cut:]))
        yield from held[cut:]

    def _cut_of(self, region: _Region, closed: int, at_end: bool) -> int:
        """How many lines of the region go."""
        if closed:
            is_named = region.kind in ("file", "title") and region.named
            is_short = region.kind == "file" and region.unlike <= _SHORT_HEADER
            is_own = region.looks_own or is_named or is_short
            return closed if is_own and self._may_lose(region.unlike) else 0
        if region.kind in ("end", "alone", "print"):
            total = region.unlike + region.tail
            is_own = region.tail <= _LONGEST_TAIL and region.own >= _OWN_SHARE * (region.own + total)
            if at_end and (is_own or region.is_alone) and self._may_lose(total):
                return len(region.held)
            long_enough = region.own >= _LEAST_LICENCE
            return region.cut if long_enough and region.looks_own and self._may_lose(region.unlike) else 0
        if region.kind == "file" and region.named:  # no marker: the lines at the top that name the project
            return region.cut if region.leading < 0 else region.leading
        return 0

    def _may_lose(self, characters: int) -> bool:
        """Whether the book is so long that it may; reads ahead as far as that takes."""
        lost = self._lost + characters
        if lost <= _LITTLE:
            self._lost = lost
            return True
        while lost > _LOST_SHARE * (self._kept + lost + self._ahead_unlike):
            if len(self._ahead) >= _AHEAD_LINES or self._ahead_characters > _AHEAD_CHARACTERS:
                return False
            line = next(self._lines, None)
            if line is None:
                return False
            self._put_ahead(line)
        self._lost = lost
        return True

    def _put_ahead(self, line: str) -> None:
        self._ahead.append(line)
        self._ahead_characters += len(line)
        self._ahead_unlike += 0 if looks_own(line) else len(line)

    def _next_ahead(self) -> str:
        line = self._ahead.popleft()
        self._ahead_characters -= len(line)
        self._ahead_unlike -= 0 if looks_own(line) else len(line)
        return line

    def _wrapped_lines(self, marker: str) -> int:
        """On how many lines a start marker goes on; they are read ahead."""
        if marker.rstrip().endswith("*"):
            return 0
        for line in itertools.islice(self._lines, max(0, _WRAPPED_LINES - len(self._ahead))):
            self._put_ahead(line)
        following = itertools.takewhile(str.strip, itertools.islice(self._ahead, _WRAPPED_LINES))
        return next((number for number, line in enumerate(following, 1) if line.rstrip().endswith("***")), 0)


def _has_word(line: str) -> bool:
    """Whether the line may hold a mark; each mark has one of these words."""
    return "utenberg" in line or "UTENBERG" in line or "SMALL PRINT" in line or "Small Print" in line
