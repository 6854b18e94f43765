"""What of a page or a chapter is running text: its paragraphs and headings, without what stands beside them.

Marks of notes, numbers of printed pages and readings of characters go, so that no digits stick to words; what else is
left out is counted in `left_out`, by kind, in characters. An exponent keeps a mark: 10<sup>6</sup> is 10^6, not 106.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from preprocessing.sources.html import elements, note_marks
from preprocessing.sources.paragraphs import blocks_of, margin_of, paragraphs_of

_PAGE_NUMBER = re.compile(r"\W*(?:(?:p|pg|page|s|seite|стр)\.?\s*)?(?:\d{1,5}|[ivxlcdm]{1,8})?\W*", re.IGNORECASE)
_AFTER_MARK = ",.;:!?)]”"
_BARS = "/⁄"  # of fractions
_LINES_OF_PROSE = 80
_SMALL_FORM = 500
# So much of a list's text in links: a menu.
_LINKS = 0.9
_FORMULA = (("\\[", "\\]"), ("$$", "$$"))
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
    links: int = 0  # characters in links before it


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
        self._link_depth = self._link_characters = 0
        self._break_at, self._mark_taken = -1, False
        self._power_at = -1  # where a power begins that has just ended

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skip_depth:
            self._skip_depth += 1
            return
        tag = name.rpartition(":")[2].lower()
        if tag == "span" and attributes and elements.is_raised(attributes):
            tag = "sup"
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
        elif opened.decision in ("table", "form", "list"):
            opened.links = self._link_characters
            self._undecided.add(opened.decision)
        self._open.append(opened)
        self._heading_depth += tag in elements.HEADINGS
        self._superscript_depth += tag == "sup"
        self._link_depth += tag == "a"
        if tag == "pre":
            self._preformatted.append(opened)
        elif tag in ("code", "samp", "kbd") and self._preformatted:
            self._preformatted[-1].decision = "code"
        elif tag == "br":
            self._break()
        elif tag == "q":
            self._text.append("“")
        elif tag == "img" and len(attributes.get("alt", "")) == 1 and attributes["alt"].isalpha():
            self.characters(attributes["alt"])  # the initial of a chapter, as a picture

    def end(self, name: str) -> None:
        if self._skip_depth:
            self._skip_depth -= 1
            return
        if not self._open:
            return
        element = self._open.pop()
        tag = element.tag
        self._superscript_depth -= tag == "sup"
        self._link_depth -= tag == "a"
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
            if self._power_at >= 0:
                self._after_power(text[:1])
            if self._mark_taken:
                self._mark_taken = False
                if self._text and text[:1] in _AFTER_MARK:
                    self._text[-1] = self._text[-1].rstrip()
            self._text.append(text)
            if self._link_depth:
                self._link_characters += len(text.strip())
        elif self._skip_kind:
            self.left_out[self._skip_kind] += len(text.strip())

    def finish(self) -> "RunningText":
        """Itself, with the text after the last element among the blocks."""
        self._flush()
        return self

    def _break(self) -> None:
        """A line break; two of them with nothing between begin a paragraph, as pages without `<p>` have it."""
        if self._preformatted:
            self._text.append("\n")
            return
        if 0 <= self._break_at <= len(self._text) and not "".join(self._text[self._break_at :]).strip():
            self._flush()
        self._text.append(" ")
        self._break_at = len(self._text)

    @property
    def is_of_links(self) -> bool:
        """Whether nearly all of the text is links, and several blocks of them: a table of contents."""
        entries = [text for heading, text in self.blocks if not heading]
        characters = sum(len("".join(text.split())) for text in entries)
        return len(entries) > 2 and self._link_characters >= _LINKS * characters

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
                self._take_mark(element)
        elif element.tag == "sup" and text.strip():
            self._end_superscript(element, text.strip())

    def _end_superscript(self, element: _Open, text: str) -> None:
        behind = self._behind(element)
        if note_marks.is_raised(text, behind):
            self._take_mark(element)
        elif note_marks.is_power(text, behind):
            self._text.insert(element.begin, "^")
            self._power_at = element.begin
        if self._open and self._open[-1].begin == element.begin and self._open[-1].decision == "local_note_link":
            self._open[-1].decision = "superscript_note_link"

    def _after_power(self, following: str) -> None:
        """Two and a half is 2 1/2, and no power; a power ends where what follows would go on with it."""
        at, self._power_at = self._power_at, -1
        raised = "".join(self._text[at + 1 :])
        if following and following in _BARS and raised.strip().isdecimal() and self._text[at - 1][-1:].isdecimal():
            self._text[at] = " "
        elif following.isalnum():
            self._text.append(" ")

    def _is_note_mark(self, element: _Open, text: str) -> bool:
        if element.decision == "local_note_link" and not self._superscript_depth:
            return note_marks.is_linked(text, self._behind(element))
        return note_marks.is_said_to_be(text)

    def _behind(self, element: _Open) -> str:
        """The last characters before the element."""
        return self._text[element.begin - 1][-5:] if element.begin else ""

    def _take_mark(self, element: _Open) -> None:
        self.left_out["note_marks"] += len(self._take(element))
        self._mark_taken = True

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
        """A table that lays out prose stays, one of data but for what runs over lines; a small form and links go."""
        held = self.blocks[element.blocks :]
        characters = sum(len(text) for _, text in held)
        if element.decision == "form":
            if characters < _SMALL_FORM:
                self._drop(element, "forms")
            return
        if element.decision == "list":
            links = self._link_characters - element.links
            if characters and links >= _LINKS * characters and all(len(text) < _LINES_OF_PROSE for _, text in held):
                self._drop(element, "navigation")
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
        self._break_at, self._mark_taken, self._power_at = -1, False, -1
        self._flushes += 1
        if text[:2] in ("\\[", "$$") and any(text.startswith(begin) and text.endswith(end) for begin, end in _FORMULA):
            self.left_out["formulas"] += len(text) - 4
        elif text:
            self.blocks.append((self._heading_depth > 0, text))
