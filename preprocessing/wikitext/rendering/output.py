"""What is written of a page so far, and what was left out of it."""

from preprocessing.wikitext.apostrophes import without_marks
from preprocessing.wikitext.literals import APOSTROPHE, BREAK, EQUALS, GAP, shield_edges

_LINE_MARKS = frozenset("*#:!-")
# No blank stands before these where the text goes on behind a blank.
_STOPS = frozenset(",.;:!?")
_ENDS_OF_SENTENCES = frozenset(".!?")
_PLAIN = frozenset(" \n<")


class Output:
    """The pieces of the text in order. `lost` counts the characters of skipped templates by their raw names.

    `lost_inline` does so for those that stood inside a line of text.
    """

    __slots__ = ("has_literals", "lost", "lost_inline", "pieces", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[str] = []
        self.lost: dict[str, int] = {}
        self.lost_inline: dict[str, int] = {}
        # Whether characters of `literals` stand in the output.
        self.has_literals = False

    def count_lost(self, name: str, start: int, end: int) -> None:
        lost, text = self.lost, self.text
        lost[name] = lost.get(name, 0) + end - start
        before = text[start - 1 : start]
        if before == "\n" and text[end : end + 1] == "\n":  # most of them
            return
        if before not in "\n *#:;}" or not _is_alone(text, start, end):
            inline = self.lost_inline
            inline[name] = inline.get(name, 0) + end - start

    def leave_out(self, start: int, end: int) -> int:
        """A gap in place of the source from `start` to `end`; a stop behind it moves up to the word before it."""
        pieces, text = self.pieces, self.text
        first = text[end : end + 1]
        # Most of what goes leaves nothing empty: a line of its own, or a reference between a word's or sentence's end
        # and the next word or reference.
        if first in _PLAIN and pieces:
            last = pieces[-1][-1:]
            if last in _ENDS_OF_SENTENCES or last.isalnum():
                if first == "\n":
                    return end
                second = text[end + 1 : end + 2]
                if second.isalnum() if first == " " else second == "r":
                    return end
            elif last == "\n" == first:
                return end
        pieces.append(GAP)
        if first in _STOPS and text[start - 1 : start] == " " and text[end + 1 : end + 2] in "\n <":
            before = text[max(0, start - 2) : start - 1]
            if before not in ",.;" and len(pieces) > 1 and pieces[-2].endswith(" "):
                pieces[-2] = pieces[-2][:-1]
        return end

    def template_text(self, start: int, end: int, shown: str, is_nested: bool) -> str:
        """What a template shows as it may stand in the text, or among the arguments of another template."""
        text = shown
        if "'" in shown:
            text = shield_edges(shown)
            # A template's marks of italics are inside of its tag: they do not join those around it.
            if text[:1] == "'" == self.text[start - 1 : start]:
                text = BREAK + text
            if text[-1:] == "'" == self.text[end : end + 1]:
                text += BREAK
        # Only an equals sign of the source parts a name from a value; a heading needs its own.
        if is_nested and "=" in text and "\n=" not in text and not text.startswith("=="):
            text = text.replace("=", EQUALS)
        if text != shown:
            self.has_literals = True
        return text or GAP

    def link_text(self, start: int, shown: str, label: str | None, is_nested: bool) -> str:
        """A label has italics of its own; in a title that is shown, apostrophes are text. No list begins in a link."""
        if label and "''" in shown:
            shown = "\n".join(map(without_marks, shown.split("\n")))
        text = shown.replace("'", APOSTROPHE) if "''" in shown else shield_edges(shown)
        if text[:1] in _LINE_MARKS and self.text[start - 1 : start] in ("", "\n"):
            text = BREAK + text
        if is_nested:
            text = text.replace("=", EQUALS)
        self.has_literals = self.has_literals or text != shown
        return text or GAP


def _is_alone(text: str, start: int, end: int) -> bool:
    """Whether what stands there begins a line, or an item of a list, and no text follows on it."""
    before = text[max(0, start - 3) : start].rstrip(" ")
    after = text[end : end + 2].lstrip(" ")[:1]
    begins = before in ("", ":", ";") or before[-1] in "\n*#}" or before[-2:] in ("\n:", "\n;")
    return begins and (not after or after in "\n{[<=*#|!")
