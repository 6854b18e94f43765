"""Straight marks that look like quotation marks and quote nothing: a 12" single, 15° 20' 30" N, Hebrew צה"ל.

The engine cuts nowhere between two quotation marks, so that two such marks would hide every end between them.
"""

import re

STANDS_IN = "″"
_SUSPECT = re.compile('"(?<=[0-9א-ת]")')  # the mark first: it is rarer
_MARK = re.compile('"')
_HEBREW = re.compile("[א-ת]")
# Prepositions and articles that Hebrew writes before a word, and so before a quotation too: ב"הארץ".
_PREFIXES = frozenset("משהוכלב")


def without_inch_marks(text: str) -> str:
    """The text with another mark, as long, for each that quotes nothing; the same object where there is none."""
    if '"' not in text or not _SUSPECT.search(text):
        return text
    characters = list(text)
    is_open = False
    for found in _MARK.finditer(text):
        position = found.start()
        if _is_gershayim(text, position) or (not is_open and text[position - 1 : position].isdigit()):
            characters[position] = STANDS_IN
        else:
            is_open = not is_open
    return "".join(characters)


def _is_gershayim(text: str, position: int) -> bool:
    """Whether the mark stands in a Hebrew acronym: before its last letter, or behind more than prefixes."""
    if not (_HEBREW.match(text, position + 1) and position and _HEBREW.match(text, position - 1)):
        return False
    if not _HEBREW.match(text, position + 2):
        return True
    before = position
    while before and _HEBREW.match(text, before - 1):
        before -= 1
    return not _PREFIXES.issuperset(text[before:position])
