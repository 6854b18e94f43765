"""What of a page or a chapter is running text: its paragraphs and headings, without what stands beside them.

Marks of notes, numbers of printed pages and readings of characters go, so that no digits stick to words; what else is
left out is counted in `left_out`, by kind, in characters. An exponent keeps a mark: 10<sup>6</sup> is 10^6, not 106.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from preprocessing.sources.html import elements
from preprocessing.sources.paragraphs import blocks_of, margin_of, paragraphs_of

_NOTE_MARK = re.compile(r"\s*[\[({]?\s*(?:\d{1,4}|[*†‡§¶#]{1,4}|[a-z]|[ivxlc]{1,6})\s*[\])}]?[.:]?\s*", re.IGNORECASE)
_BRACKETED_MARK = re.compile(r"\s*(?:\[\s*(?:\d{1,4}|[*†‡§¶]{1,4}|[a-zA-Z]|[ivxlc]{1,6})\s*\]|[*†‡§¶]{1,4})\s*")
_BACK_LINK = re.compile("[\\s↩↑⏎^←⬆🔙\ufe0e\ufe0f]+")
_PAGE_NUMBER = re.compile(r"\W*(?:(?:p|pg|page|s|seite|стр)\.?\s*)?(?:\d{1,5}|[ivxlcdm]{1,8})?\W*", re.IGNORECASE)
_EXPONENT = re.compile(r"[-−+]?\d")
_AFTER_SENTENCE = '.,;:!?"”’»…'
_LINES_OF_PROSE = 80
_SMALL_FORM = 500
# Marks are short; so no element's text is looked at again for each of those around it.
_MARK_CHARACTERS = 40
_MARK_PIECES = 8


@dataclass(slots=True)
class _Open:
    """An open element: where its text and blocks begin, and what is decided when it closes."""

    tag: str
    begin: int
    blocks: int
    flushes: int
    decision: str = ""


class RunningText:
    """Collects `blocks`, (is heading, text) in reading order, and `title`, from the events of `parsing`.

    `is_page` is true for a page of the web, of which asides, footers, forms and tables of data are no running text;
    a chapter of a book keeps them.
    """

    def __init__(self, is_page: bool = False) -> None:
        self.blocks: list[tuple[bool, str]] = []
        self.title = ""
        self.left_out: Counter[str] = Counter()
        self._is_page = is_page
        self._open: list[_Open] = []
        self._preformatted: list[_Open] = []
        self._undecided: set[str] = set()
        self._text: list[str] = []
        self._flushes = 0
        self._skip_depth = self._heading_depth = self._superscript_depth = 0
        self._skip_kind = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skip_depth:
            self._skip_depth += 1
            return
        tag = name.rpartition(":")[2].lower()
        kind = elements.left_out_kind(tag, attributes, self._is_page)
        if kind is not None:
            if tag in elements.BLOCKS:
                self._flush()
            self._skip_depth, self._skip_kind = 1, kind
            return
        if tag in elements.BLOCKS:
            self._flush()
        decided = elements.decision(tag, attributes, self._is_page) if attributes or self._is_page else ""
        opened = _Open(tag, len(self._text), len(self.blocks), self._flushes, decided)
        if opened.decision in self._undecided:
            opened.decision = ""  # the outer one decides
        elif opened.decision in ("table", "form"):
            self._undecided.add(opened.decision)
        self._open.append(opened)
        self._heading_depth += tag in elements.HEADINGS
        self._superscript_depth += tag == "sup"
        if tag == "pre":
            self._preformatted.append(opened)
        elif tag in ("code", "samp", "kbd") and self._preformatted:
            self._preformatted[-1].decision = "code"
        elif tag == "br":
            self._text.append("\n" if self._preformatted else " ")
        elif tag == "q":
            self._text.append("“")

    def end(self, name: str) -> None:
        if self._skip_depth:
            self._skip_depth -= 1
            return
        if not self._open:
            return
        element = self._open.pop()
        tag = element.tag
        self._superscript_depth -= tag == "sup"
        if tag == "q":
            self._text.append("”")
        if element.flushes == self._flushes and (element.decision or tag in ("sup", "title")):
            self._end_inline(element)
        if tag == "pre":
            self._end_preformatted(element)
        if tag in elements.BLOCKS:
            self._flush()
        self._heading_depth -= tag in elements.HEADINGS
        if element.decision in self._undecided:
            self._undecided.discard(element.decision)
            self._end_undecided(element)

    def characters(self, text: str) -> None:
        if not self._skip_depth:
            self._text.append(text)
        elif self._skip_kind:
            self.left_out[self._skip_kind] += len(text.strip())

    def finish(self) -> "RunningText":
        """Itself, with the text after the last element among the blocks."""
        self._flush()
        return self

    def _end_inline(self, element: _Open) -> None:
        """Decides on the text of an element in which no block began."""
        if element.tag == "title" and self._is_page:
            title = self._take(element)
            self.title = self.title or title
            return
        pieces = self._text[element.begin : element.begin + _MARK_PIECES + 1]
        text = "".join(pieces)
        if len(pieces) > _MARK_PIECES or len(text) > _MARK_CHARACTERS:
            return
        if element.decision == "page_number":
            if _PAGE_NUMBER.fullmatch(text):
                self.left_out["page_numbers"] += len(self._take(element))
        elif "note_link" in element.decision:
            if self._is_note_mark(element, text):
                self.left_out["note_marks"] += len(self._take(element))
        elif element.tag == "sup" and text.strip():
            self._end_superscript(element, text.strip())

    def _end_superscript(self, element: _Open, text: str) -> None:
        before = self._text[element.begin - 1][-1:] if element.begin else ""
        if text.isdecimal() and before and before in _AFTER_SENTENCE:
            self.left_out["note_marks"] += len(self._take(element))
        elif before.isdigit() and _EXPONENT.match(text):
            self._text.insert(element.begin, "^")
        if self._open and self._open[-1].begin == element.begin and self._open[-1].decision == "local_note_link":
            self._open[-1].decision = "superscript_note_link"

    def _is_note_mark(self, element: _Open, text: str) -> bool:
        if element.decision == "local_note_link" and not self._superscript_depth:
            # Any link to a place in the book, as one to a page: "see 12" stays.
            return bool(text.strip() and (_BRACKETED_MARK.fullmatch(text) or _BACK_LINK.fullmatch(text)))
        return bool(_NOTE_MARK.fullmatch(text) or _BACK_LINK.fullmatch(text))

    def _take(self, element: _Open) -> str:
        """Takes the element's text out of the paragraph."""
        taken = "".join(self._text[element.begin :])
        del self._text[element.begin :]
        return " ".join(taken.split())

    def _end_preformatted(self, element: _Open) -> None:
        self._preformatted.pop()
        if element.decision == "code":
            self._flush()
            self._drop(element, "code")
            return
        lines = "".join(self._text).expandtabs(4).splitlines() if element.flushes == self._flushes else []
        if len(lines) < 2:
            return
        self._text = []
        margin = margin_of(lines)
        for block in blocks_of(lines):
            for paragraph in paragraphs_of(block, margin):
                self._text.append(paragraph)
                self._flush()

    def _end_undecided(self, element: _Open) -> None:
        """A table that lays out prose stays, one of data but for what runs over lines; a small form goes."""
        held = self.blocks[element.blocks :]
        characters = sum(len(text) for _, text in held)
        if element.decision == "form":
            if characters < _SMALL_FORM:
                self._drop(element, "forms")
            return
        long = [(heading, text) for heading, text in held if len(text) >= _LINES_OF_PROSE]
        prose = sum(len(text) for _, text in long)
        if prose * 2 < characters:
            self.blocks[element.blocks :] = long
            self.left_out["tables"] += characters - prose

    def _drop(self, element: _Open, kind: str) -> None:
        self.left_out[kind] += sum(len(text) for _, text in self.blocks[element.blocks :])
        del self.blocks[element.blocks :]

    def _flush(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        self._flushes += 1
        if text:
            self.blocks.append((self._heading_depth > 0, text))
