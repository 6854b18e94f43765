"""Rendered lines → paragraphs: headings and blank lines part them, list items stand alone."""

import re

from preprocessing.wikitext.entities import decode
from preprocessing.wikitext.variants import resolve_variants

_SWITCHES = re.compile(
    r"__(?:NOTOC|FORCETOC|TOC|NOEDITSECTION|NEWSECTIONLINK|NONEWSECTIONLINK|NOGALLERY|HIDDENCAT|INDEX|NOINDEX|"
    r"EXPECTUNUSEDCATEGORY|NOCONTENTCONVERT|NOCC|NOTITLECONVERT|NOTC|STATICREDIRECT|DISAMBIG|NOGLOBAL)__"
)
# What a dropped template or reference leaves of "(pronounced …; born …)": its brackets, or a comma behind "(".
_HOLLOW_BRACKET = re.compile(r"\((?:(?:[ \t\xa0,;:،؛]|&nbsp;)*+\)|(?:[ \t\xa0,;:،؛]|&nbsp;)++)")
_HOLLOW_WIDE_BRACKET = re.compile(r"（(?:[ \t\xa0\u3000,;:，、；：]*+）|[ \t\xa0\u3000,;:，、；：]++)")
_STRAY_MARKS = (
    ("[", "[["),
    ("]", "]]"),
    ("{", "{{"),
    ("}", "}}"),
    ("{", "{|"),
    ("}", "|}"),
    ("<", "<ref"),
    ("<", "</ref"),
)
_LIST_MARKS = "*#:;"


def to_lines(text: str) -> str:
    """Remove what is inline but needs no stack: quotes, switches, variants, empty brackets, stray marks."""
    if "''" in text:
        # Runs of quotes from the longest mark to the shortest; an apostrophe may precede the mark of bold.
        if "''''" in text:
            text = text.replace("'''''", "").replace("''''", "'")
        text = text.replace("'''", "").replace("''", "")
    if "__" in text:
        text = _SWITCHES.sub("", text)
    if "}-" in text:
        text = resolve_variants(text)
    if "(" in text:
        text = _HOLLOW_BRACKET.sub(_mended_bracket, text)
    if "（" in text:
        text = _HOLLOW_WIDE_BRACKET.sub(_mended_bracket, text)
    for first, mark in _STRAY_MARKS:
        # The search for one character is several times faster and often settles it. A space takes the mark's
        # place, so that what stood around it cannot join to another mark.
        if first in text and mark in text:
            text = text.replace(mark, " ")
    return text


def to_paragraphs(text: str, keep_lists: bool) -> list[str]:
    """Paragraphs in order, whitespace collapsed, never empty, each with at least one letter or digit."""
    found: list[str] = []
    lines: list[str] = []
    for line in to_lines(text).split("\n"):
        first = line[:1]
        if first.isalnum():  # nearly every line
            lines.append(line)
            continue
        if first and not line.isspace() and first not in "*#:;=|-":
            lines.append(line)
            continue
        boundary, item = _boundary(line, first)
        if not boundary:
            lines.append(line)
            continue
        if lines:
            _finish(" ".join(lines), found)
            lines = []
        if item and keep_lists:
            _finish(item, found)
    if lines:
        _finish(" ".join(lines), found)
    return found


def _boundary(line: str, first: str) -> tuple[bool, str]:
    """Whether a line ends the paragraph before it, and the text of a list item."""
    if first and first in _LIST_MARKS:
        text = line.lstrip(_LIST_MARKS + " ")
        return True, text.replace(" : ", ": ", 1) if first == ";" else text
    if first == "=":
        return len(line) > 2 and line.rstrip().endswith("="), ""
    if first == "-":
        return line.startswith("----"), ""
    return True, ""  # blank, or the row of a table that was never closed


def _mended_bracket(match: re.Match[str]) -> str:
    return "" if match.group()[-1] in ")）" else match.group()[0]


def _finish(text: str, found: list[str]) -> None:
    text = decode(text).strip()
    if "  " in text or "\t" in text or "\xa0" in text:
        text = " ".join(text.split())
    if " , " in text or " . " in text:  # what a dropped template leaves
        text = text.replace(" , ", ", ").replace(" . ", ". ")
    if text[:1].isalnum() or any(map(str.isalnum, text)):
        found.append(text)
