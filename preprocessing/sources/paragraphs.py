"""Hard-wrapped lines → paragraphs; verse and tables stay lines.

A line break was forced by the margin when the next line's first word would not have fitted on the line before it.
In prose nearly every break inside a block is forced, in verse and tables nearly none is.
"""

import itertools
from collections.abc import Iterable, Iterator

# Longer lines come from software that breaks lines at paragraphs only.
_WIDEST_MARGIN = 160
_NARROWEST_MARGIN = 40
# A block is held in memory: a file without blank lines must not be one.
_BLOCK_LINES = 10_000
_BLOCK_CHARACTERS = 8 << 20


def margin_of(lines: Iterable[str]) -> int:
    """The column at which the lines were wrapped (95th percentile of their lengths), or 0 if they were not."""
    lengths = sorted(len(line.rstrip()) for line in lines if line and not line.isspace())
    if not lengths:
        return 0
    margin = lengths[len(lengths) * 95 // 100]
    return 0 if margin > _WIDEST_MARGIN else max(margin, _NARROWEST_MARGIN)


def blocks_of(lines: Iterable[str]) -> Iterator[list[str]]:
    """Runs of lines between blank lines (at most 10,000 lines, or some 8 MiB), without trailing white space."""
    block: list[str] = []
    characters = 0
    for line in lines:
        line = line.rstrip()
        if line:
            block.append(line)
            characters += len(line)
            if len(block) < _BLOCK_LINES and characters < _BLOCK_CHARACTERS:
                continue
        if block:
            yield block
            block, characters = [], 0
    if block:
        yield block


def paragraphs_of(block: list[str], margin: int) -> list[str]:
    """The paragraphs of one block: joined lines of prose, or the lines of verse, tables and unwrapped text."""
    if len(block) == 1 or not margin:
        return [line.strip() for line in block]
    text = "\n".join(block)
    if _is_table(block, text) or not _is_prose(block, margin):
        return [line.strip() for line in block]
    # A block without indented lines, or hyphens at their ends, is one paragraph.
    if text.isascii() and min(block)[0] > " " and "-\n" not in text:
        return [text.replace("\n", " ")]
    indents = [len(line) - len(line.lstrip()) for line in block]
    base = min(indents[1:])
    paragraphs: list[str] = []
    current = block[0].strip()
    for index in range(1, len(block)):
        line = block[index].strip()
        # In older texts a paragraph shows by its indented first line alone.
        if indents[index] >= base + 2 and not _is_forced(block[index - 1], block[index], margin):
            paragraphs.append(current)
            current = line
        elif current.endswith("-") and len(current) > 1 and current[-2] != " ":
            current += line  # the break fell after a hyphen or dash that belongs to the text
        elif joins_without_space(current, line):
            current += line
        else:
            current += " " + line
    paragraphs.append(current)
    return paragraphs


def joins_without_space(line: str, following: str) -> bool:
    """Whether a line break between the two stands for nothing."""
    return bool(line and following) and _is_cjk(line[-1]) and _is_cjk(following[0])


def _is_cjk(character: str) -> bool:
    """Chinese and Japanese put no space between words (Korean does)."""
    return "\u2e80" <= character <= "\u9fff" or "\uff00" <= character <= "\uffef" or character >= "\U00020000"


def _is_forced(line: str, following: str, margin: int) -> bool:
    return len(line) + 1 + _first_part(following) > margin


def _first_part(line: str) -> int:
    """Characters of the first word up to a hyphen in it, which would have been a place to break too."""
    word = line.split(None, 1)[0]
    hyphen = word.find("-")
    return len(word) if hyphen < 0 else hyphen


def _is_prose(block: list[str], margin: int) -> bool:
    breaks = len(block) - 1
    # How wide each line would have become with what follows it.
    needed = [len(line) + 1 + _first_part(following) for line, following in itertools.pairwise(block)]
    if sum([width > margin for width in needed]) * 2 > breaks:
        return True
    # A letter or a quotation set narrower than the page: wrapped at a margin of its own, in running sentences.
    local = max(map(len, block[:-1]))
    if sum([width > local for width in needed]) * 3 < breaks * 2:
        return False
    continued = sum([line.lstrip(" \t\"'“‘«(_*")[:1].islower() for line in block[1:]])
    return continued * 2 > breaks


def _is_table(block: list[str], text: str) -> bool:
    if not ("|" in text or "   " in text or "\t" in text):  # as nearly always
        return False
    rows = sum("   " in line.strip() or "\t" in line.strip() or "|" in line for line in block)
    return rows * 2 > len(block)
