"""Rendered lines → paragraphs: headings and blank lines part them, list items stand alone."""

import re

from preprocessing.wikitext.apostrophes import without_marks
from preprocessing.wikitext.entities import decode
from preprocessing.wikitext.gaps import mend_gaps
from preprocessing.wikitext.literals import GAP, UNCLOSED_TABLE, reveal

# MediaWiki's switches and those of the extensions of Wikipedia; the first are the same in small letters.
_SWITCHES = re.compile(
    r"__(?:(?i:NOTOC|FORCETOC|TOC|NOGALLERY|NOEDITSECTION|NOTITLECONVERT|NOTC|NOCONTENTCONVERT|NOCC|DISAMBIG)|"
    r"NEWSECTIONLINK|NONEWSECTIONLINK|HIDDENCAT|EXPECTUNUSEDCATEGORY|EXPECTUNUSEDTEMPLATE|INDEX|NOINDEX|STATICREDIRECT|"
    r"NOGLOBAL|NOTALK|ARCHIVEDTALK|EXPECTWITHOUTSCANS)__"
)
# Marks that belong to nothing, also such as only a gap keeps apart, by their first characters.
_STRAY_MARKS = {
    "[": re.compile(rf"\[{GAP}*+\["),
    "]": re.compile(rf"\]{GAP}*+\]"),
    "{": re.compile(rf"\{{{GAP}*+[{{|]"),
    "}": re.compile(rf"\}}{GAP}*+\}}"),
    "|": re.compile(rf"\|{GAP}*+\}}"),
    "<": re.compile(rf"<{GAP}*+/?+{GAP}*+ref"),
}
_LIST_MARKS = "*#:;"
_LINE_MARKS = f"{_LIST_MARKS}=|!-{UNCLOSED_TABLE}"
_BLANK = f" \t\r\xa0{GAP}"
_TERM_END = re.compile(":(?!//)")


def to_lines(text: str) -> str:
    """Remove what is inline but needs no stack: switches, empty brackets, stray marks.

    Gaps stay, since marks of italics on both sides of one do not join.
    """
    if "_" in text and "__" in text:  # the search for one character is several times faster, and often settles it
        text = _SWITCHES.sub("", text)
    text = mend_gaps(text)
    for first, mark in _STRAY_MARKS.items():
        # A space takes the mark's place, so that what stood around it cannot join to another mark.
        if first in text:
            text = mark.sub(" ", text)
    return text


def to_paragraphs(text: str, keep_lists: bool, has_literals: bool = False) -> list[str]:
    """Paragraphs in order, whitespace collapsed, never empty, each with at least one letter or digit.

    `has_literals`: whether characters of `literals` stand in the text.
    """
    found: list[str] = []
    lines: list[str] = []
    in_unclosed_table = False
    for line in to_lines(text).split("\n"):
        first = line[:1]
        if first.isalnum():  # nearly every line
            lines.append(line)
            continue
        if first == GAP:
            line = line.lstrip(GAP)
            first = line[:1]
        if not first:  # most of the others
            if lines:
                _finish(lines, found, has_literals)
                lines = []
            continue
        if first not in _LINE_MARKS and line.strip(_BLANK):
            lines.append(line)
            continue
        boundary, rest = _boundary(line, first)
        if in_unclosed_table and first in ("|", "!"):
            boundary = True
        if not boundary:
            lines.append(line)
            continue
        if lines:
            _finish(lines, found, has_literals)
            lines = []
        if first == "-":
            lines.append(rest)
        elif rest and keep_lists:
            _finish([rest], found, has_literals)
        in_unclosed_table = in_unclosed_table or first == UNCLOSED_TABLE
    if lines:
        _finish(lines, found, has_literals)
    return found


def _boundary(line: str, first: str) -> tuple[bool, str]:
    """Whether a line ends the paragraph before it, and the text that is left of it."""
    if first in _LIST_MARKS:
        text = line.lstrip(_LIST_MARKS + " ")
        is_term = line[: len(line) - len(text)].rstrip().endswith(";")
        if is_term and (end := _TERM_END.search(text)) is not None:
            text = f"{text[: end.start()].rstrip()}: {text[end.end() :].lstrip()}"
        return True, text
    if first == "=":
        return len(line) > 2 and line.rstrip(_BLANK).endswith("="), ""
    if first == "-":
        return line.startswith("----"), line.lstrip("-")
    return first not in ("|", "!"), ""


def _finish(lines: list[str], found: list[str], has_literals: bool) -> None:
    text = " ".join(lines)
    if "'" in text and "''" in text:
        text = " ".join(map(without_marks, lines)) if "'''" in text else text.replace("''", "")
    if GAP in text:  # `replace` counts before it looks, which takes longer
        text = text.replace(GAP, "")
    text = decode(text).strip()
    if "  " in text or "\t" in text or "\xa0" in text:
        text = " ".join(text.split())
    if text[:1].isalnum() or any(map(str.isalnum, text)):
        found.append(reveal(text) if has_literals and not text.isprintable() else text)
