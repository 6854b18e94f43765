"""What a tag shows: its content, a break, a mark of a power, the word for an object, or nothing."""

from preprocessing.wikitext.literals import BREAK, OBJECTS, literal
from preprocessing.wikitext.markup_tokens import (
    BLOCK_TAGS,
    DROPPED_TAGS,
    HEADING_TAGS,
    INLINE_TAGS,
    ITEM_TAGS,
    SPACE_TAGS,
    power_mark,
)
from preprocessing.wikitext.rendering.output import Output
from preprocessing.wikitext.scanner import FAILED, Scanner

_POWER_PIECES = 8


class Tags:
    """The tags of one page, in order."""

    __slots__ = ("in_ruby", "output", "pieces", "raised", "scanner", "text")

    def __init__(self, output: Output, scanner: Scanner) -> None:
        self.output = output
        self.scanner = scanner
        self.text = output.text
        self.pieces = output.pieces
        self.raised: int | None = None  # index of the first piece of an open <sup>
        self.in_ruby = False

    def read(self, start: int, end: int, slash: str, name: str, attributes: str) -> int:
        """Write what the tag between `start` and `end` shows; where reading goes on."""
        text = self.text
        if text[end : end + 1] == "'" == text[start - 1 : start]:
            self.output.has_literals = True
            self.pieces.append(BREAK)  # apostrophes on both sides of a tag do not join
        name = name.lower()
        if name in DROPPED_TAGS:
            if slash:
                return end
            if not attributes.endswith("/"):
                closing = self.scanner.closing_tag(name, end)[1]
                if closing == FAILED:
                    self.pieces.append(" ")
                    return end
                if name in OBJECTS:
                    return self._object(start, closing, name)
                end = closing
            return self.output.leave_out(start, end)
        if name in INLINE_TAGS:
            if name == "sup":
                self._superscript(slash == "/", end)
            elif name == "rt":
                self._ruby(start, slash == "/")
            elif slash:
                return end
            elif name == "table":
                after = self.scanner.after_html_table(start, end)
                return end if after == FAILED else after
            elif name == "nowiki":
                return self._nowiki(end, attributes)
        elif name in SPACE_TAGS:
            self.pieces.append(" ")
        elif name in BLOCK_TAGS:
            self.pieces.append("\n\n")
        elif name in ITEM_TAGS:
            self.pieces.append("\n" if slash else "\n*")
        elif name in HEADING_TAGS:
            self.pieces.append("\n\n")
            after = end if slash else self.scanner.closing_tag(name, end)[1]
            return end if after == FAILED else after
        else:  # not a tag of MediaWiki: shown as it stands
            self.pieces.append("<")
            return start + 1
        return end

    def forget_raised(self, first: int) -> None:
        """The pieces from this one on have become one: no open <sup> begins among them."""
        if self.raised is not None and self.raised > first:
            self.raised = None

    def raise_text(self, shown: str, end: int) -> None:
        """Write the text of a template that raises it, as <sup> does."""
        self.pieces.append(shown)
        self._end_raised(len(self.pieces) - 1, end)

    def _object(self, start: int, end: int, name: str) -> int:
        self.output.has_literals = True
        lost = self.output.lost
        lost[f"<{name}>"] = lost.get(f"<{name}>", 0) + end - start
        self.pieces.append(OBJECTS[name])
        return end

    def _superscript(self, is_end: bool, end: int) -> None:
        """10<sup>6</sup> is not 106: what is raised is known where it ends, and written as a power if it is one."""
        pieces, raised, self.raised = self.pieces, self.raised, None
        if raised is not None and raised < len(pieces) <= raised + _POWER_PIECES:
            self._end_raised(raised, end, is_end)
        if not is_end and pieces:
            self.raised = len(pieces)

    def _end_raised(self, raised: int, end: int, is_closed: bool = True) -> None:
        pieces, text = self.pieces, self.text
        before = pieces[raised - 1][-8:].rstrip("'")[-1:] if raised else ""
        mark = power_mark(before, "".join(pieces[raised:]), text[end : end + 6])
        pieces[raised] = mark + pieces[raised]
        # 5d<sup>10</sup>6s is not 5d^106s.
        if mark == "^" and is_closed and text[end : end + 1].isalnum():
            pieces.append(" ")

    def _ruby(self, start: int, is_end: bool) -> None:
        # What stands above a word follows it in brackets, which a page may bring along itself.
        if is_end or self.text[start - 5 : start].lower() != "</rp>":
            opened = self.in_ruby
            self.in_ruby = not is_end
            if opened or not is_end:
                self.pieces.append(")" if is_end else "(")

    def _nowiki(self, content: int, attributes: str) -> int:
        self.output.has_literals = True
        if attributes.endswith("/"):
            self.pieces.append(BREAK)
            return content
        start, end = self.scanner.closing_tag("nowiki", content)
        if start == FAILED:
            return content
        self.pieces.append(BREAK + literal(self.text[content:start]) + BREAK)
        return end
