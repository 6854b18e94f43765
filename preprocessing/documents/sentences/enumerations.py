"""Items of an enumeration that stands in one paragraph: "1. Wash it. 2. Dry it.", "a. Bread b. Milk"."""

import re

from preprocessing.documents.sentences.table import SentenceTable

_BULLETS = "•◦▪●■‣⁃·"
ITEM_BEGINS = frozenset(f"0123456789a{_BULLETS}")
"""What an item's first character may be."""

# "1)" and "1.)" are found by the engine itself.
_FIRST = re.compile(rf"(?P<bullet>[{_BULLETS}]\s?)?(?P<count>\d{{1,2}}|a)\.\s")
_WORD = re.compile(r"\w+")
_MOST = 1_000


def items(paragraph: str, table: SentenceTable) -> list[str]:
    """The paragraph cut before each item, if it begins with one and a second follows; else the paragraph alone."""
    first = _FIRST.match(paragraph)
    if not first or not _begins_an_item(paragraph, first.end(), table):
        return [paragraph]
    bullet, label, start = first["bullet"] or "", first["count"], 0
    cut: list[str] = []
    while len(cut) < _MOST:
        label = str(int(label) + 1) if label.isdecimal() else chr(ord(label) + 1)
        end = _next_item(paragraph, f" {bullet}{label}. ", start, table)
        if end < 0:
            break
        cut.append(paragraph[start:end])
        start = end
    return [*cut, paragraph[start:]]


def _next_item(paragraph: str, marker: str, start: int, table: SentenceTable) -> int:
    """Where the item with the marker begins, or -1."""
    found = paragraph.find(marker, start)
    if found < 0 or not _begins_an_item(paragraph, found + len(marker), table):
        return -1
    # Where ordinals stand before capitals ("2. Liga"), only a sentence that has ended makes the number an item's.
    if table.ordinals_before_capitals and paragraph[found - 1] not in ".!?;:":
        return -1
    return found + 1


def _begins_an_item(paragraph: str, start: int, table: SentenceTable) -> bool:
    word = _WORD.match(paragraph, start)
    return word is not None and word[0][0].isupper() and word[0].lower() not in table.ordinal_followers
