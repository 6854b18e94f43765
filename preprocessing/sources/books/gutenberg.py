"""Project Gutenberg's own text around a book: header, licence, small print and footer.

Three layouts are known: since about 2003 `*** START OF THE PROJECT GUTENBERG EBOOK … ***` and `*** END OF …`; before
that the "small print", which ends in `*END*THE SMALL PRINT!…`; and the first etexts, with neither, that only name the
project in their first lines. Text without any of these passes through unchanged.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from preprocessing.tally import Tally

# The longest small prints end within some 400 lines; a start marker further down is part of a book about e-books.
_HEADER_LINES = 1000
_FIRST_LINES = 60

_START = re.compile(
    r"\s*\*+\s*START\s+OF\s+(?:THE|THIS)\s+PROJECT\s+GUTENBERG|\s*\*+\s*END\s*\*+\s*THE\s+SMALL\s+PRINT"
    r"|\s*\*END\s+THE\s+SMALL\s+PRINT",
    re.IGNORECASE,
)
_END = re.compile(
    r"\s*\*+\s*END\s+OF\s+(?:THE|THIS)\s+PROJECT\s+GUTENBERG"
    r"|\s*\**\s*End\s+of\s+(?:the\s+|this\s+)?Project\s+Gutenberg",
    re.IGNORECASE,
)
_TITLE = re.compile(r"title:\s*(\S.*)", re.IGNORECASE)
_CREDIT = re.compile(
    r"\s*(?:\[?\s*transcriber['’]?s?['’]? notes?\b|produced by\b|e-?text prepared by\b|this e-?(?:text|book) was "
    r"(?:produced|prepared|created|scanned|typed)|html version by\b|scanned and proof)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header said. `found` is false when the text had none."""

    found: bool
    title: str


def strip_gutenberg(lines: Iterator[str], tally: Tally) -> tuple[Header, Iterator[str]]:
    """The header's facts, and the book's own lines; at most 1,000 lines are held.

    Counters: `gutenberg.header_lines`, `gutenberg.footers`.
    """
    head = list(itertools.islice(lines, _HEADER_LINES))
    # The last one: new headers stand before the small print of the old edition that they wrap.
    start = max((index + 1 for index, line in enumerate(head) if _START.match(line)), default=0)
    if start and "***" in head[start - 1] and not head[start - 1].rstrip().endswith("*"):
        # A long title wraps the marker over several lines.
        start += next((i + 1 for i, line in enumerate(head[start : start + 4]) if line.rstrip().endswith("***")), 0)
    title = next((m[1].strip() for line in head[:start] if (m := _TITLE.match(line))), "")
    tally.count("gutenberg.header_lines", start)
    return Header(start > 0, title), _until_footer(itertools.chain(head[start:], lines), tally)


def _until_footer(lines: Iterator[str], tally: Tally) -> Iterator[str]:
    for line in lines:
        if ("utenberg" in line or "UTENBERG" in line) and _END.match(line):
            tally.count("gutenberg.footers")
            return
        yield line


def is_front_credit(block: list[str], lines_before: int) -> bool:
    """Whether a block near the top is not the book but its digital edition (who typed it, which release)."""
    if lines_before > _FIRST_LINES:
        return False
    return bool(_CREDIT.match(block[0])) or any("Project Gutenberg" in line for line in block)
