"""Text that looks like markup and is none, and places where something stood: both as control characters.

XML forbids these characters, so no page of a dump holds them. While the page is read they stand for what later steps
must not take for a mark: the content of `<nowiki>`, and quotes in the title of a link. `reveal` ends it.
"""

import re

from preprocessing.wikitext.entities import decode

GAP = "\x01"
"""Where something was left out that shows nothing: what is empty around it may go too."""
BREAK = "\x02"
"""`<nowiki/>`: nothing, but marks on both its sides do not join."""
UNCLOSED_TABLE = "\x03"
"""Where a table begins that never ends: lines behind it that look like rows are rows."""

_OBJECTS = {"\x04": "formula", "\x05": "score", "\x06": "hieroglyphs"}
OBJECTS = {"math": "\x04", "chem": "\x04", "ce": "\x04", "score": "\x05", "hiero": "\x06"}
"""Tags whose content is no text but stands in a sentence, and the mark of the word that says so."""

_MARKS = "[]{}<>'=*#:;|-_&"
_HIDING = str.maketrans(_MARKS, "".join(map(chr, (*range(0x07, 0x09), *range(0x0E, 0x1C)))))
APOSTROPHE = "'".translate(_HIDING)
EQUALS = "=".translate(_HIDING)
_REVEALING = {hidden: chr(mark) for mark, hidden in _HIDING.items()} | {ord(BREAK): ""}
_OBJECT = re.compile("[\x04-\x06]")
_OWN_CHARACTERS = "".join(map(chr, (*range(0x01, 0x09), *range(0x0E, 0x1C))))
_OWN = re.compile(f"[{_OWN_CHARACTERS}]")


def literal(text: str) -> str:
    """The text such that no later step finds a mark in it. References in it are decoded."""
    return decode(text).replace("\n", " ").translate(_HIDING)


def shield_edges(text: str) -> str:
    """The text with a single apostrophe at an edge as text, so that it joins no mark of italics beside it."""
    if text[:1] == "'" and text[1:2] != "'":
        text = APOSTROPHE + text[1:]
    return text[:-1] + APOSTROPHE if text[-1:] == "'" and text[-2:-1] != "'" else text


def reveal(text: str) -> str:
    """The text with its marks in place again, and a word for each object."""
    return " ".join(_OBJECT.sub(_word, text).translate(_REVEALING).split())


def _word(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    before = " " if text[start - 1 : start].isalnum() else ""
    after = " " if text[end : end + 1].isalnum() or text[end : end + 1] in _OBJECTS else ""
    return f"{before}{_OBJECTS[match.group()]}{after}"


def without_own_characters(text: str) -> str:
    """The text without the characters that this module gives a meaning."""
    # Looking for single characters is many times faster than a pattern, and nearly no text has any.
    return _OWN.sub("", text) if any(character in text for character in _OWN_CHARACTERS) else text
