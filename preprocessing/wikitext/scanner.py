"""Finding the end of what is skipped whole: comments, templates, tables, files and the content of tags.

Each search either succeeds, and the reader goes on behind it, or runs into the end of the text. What a failed
search learned is kept, so that all failed searches together cost at most a fixed number of passes.
"""

import re

from preprocessing.wikitext import markup_tokens

FAILED = -1
# A failed search remembers every mark that has no partner, so a second failure of a kind is rare; the limit makes
# the linear bound hold for any input.
FAILURE_LIMIT = 16

_CLOSING: dict[str, re.Pattern[str]] = {
    name: re.compile(rf"</{name}\b[^<>]*+>", re.IGNORECASE)
    for name in sorted(markup_tokens.DROPPED_TAGS | markup_tokens.OPAQUE_TAGS | markup_tokens.HEADING_TAGS)
}
# Most tags are references: the first letter, looked at before the names, rules them out.
_INITIALS = "".join(sorted({name[0] for name in markup_tokens.OPAQUE_TAGS}))
_COMMENT_OR_OPAQUE = re.compile(
    rf"<(?:!--|(?=[{_INITIALS}])({'|'.join(sorted(markup_tokens.OPAQUE_TAGS))})(?:\s[^<>]*+)?+>)", re.IGNORECASE
)
_BLANKS = re.compile(r"[ \t]*+")


class Scanner:
    """Positions of closing marks in one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0
        self._unmatched: set[int] = set()
        self._unclosed_tags: set[str] = set()
        self._failures = 0
        self._line_end = self._bracket = -1

    def after_template(self, start: int) -> int:
        """End of the template whose `{{` is at `start`, or FAILED."""
        return self._after(start, start + 2, markup_tokens.NESTED_TEMPLATE)

    def after_link(self, start: int) -> int:
        """End of the link whose `[[` is at `start`, or FAILED."""
        end = self._after(start, start + 2, markup_tokens.NESTED_LINK)
        # "[[File:a.png|caption [http://example.org b]]]": the first bracket belongs to the caption.
        return end + 1 if end != FAILED and self.text.startswith("]", end) else end

    def after_table(self, start: int) -> int:
        """End of the table whose `{|` is at `start`, or FAILED."""
        return self._after(start, start + 2, markup_tokens.NESTED_TABLE)

    def after_html_table(self, start: int, content: int) -> int:
        """End of the `<table>` at `start` whose content begins at `content`, or FAILED."""
        return self._after(start, content, markup_tokens.NESTED_HTML_TABLE)

    def closes_on_line(self, position: int) -> bool:
        """Whether a closing bracket stands between `position` and the end of its line."""
        if position > self._line_end:
            self._line_end = self._find("\n", position)
        if position > self._bracket:
            self._bracket = self._find("]", position)
        return self._bracket < self._line_end

    def _find(self, character: str, position: int) -> int:
        found = self.text.find(character, position)
        return len(self.text) if found < 0 else found

    def closing_tag(self, name: str, content: int) -> tuple[int, int]:
        """Start and end of the first `</name>` at or after `content`, or (FAILED, FAILED)."""
        if name in self._unclosed_tags:
            return FAILED, FAILED
        text = self.text
        start = text.find("</", content)
        if start >= 0 and text.startswith(name, start + 2) and text.startswith(">", end := start + 2 + len(name)):
            return start, end + 1  # nearly every one, and many times faster than the pattern
        match = _CLOSING[name].search(text, content)
        if match is None:
            self._unclosed_tags.add(name)
            return FAILED, FAILED
        return match.span()

    def _after(self, start: int, position: int, pattern: re.Pattern[str]) -> int:
        mark = start + 1  # where group 1 of the pattern begins
        if mark in self._unmatched or self._failures >= FAILURE_LIMIT:
            return FAILED
        text, search = self.text, pattern.search
        opened = [mark]
        while (match := search(text, position)) is not None:
            self.steps += 1
            position = match.end()
            kind = match.lastindex
            if kind == 2:
                opened.pop()
                if not opened:
                    return position
            elif kind == 1:
                opened.append(match.start(1))
            elif kind == 3 and not match.group().endswith("/>"):
                position = max(position, self.closing_tag(match.group(3).lower(), position)[1])
        self._unmatched.update(opened)
        self._failures += 1
        return FAILED


def without_comments(text: str) -> str:
    """The page without its comments, which may stand anywhere: in a link, a name, a tag.

    As MediaWiki does: inside `<nowiki>` and other tags with a content of their own `<!--` is text, a comment that is
    never closed runs to the end of the page, and comments alone on a line take the line with them.
    """
    last = text.rfind("<!--")
    if last < 0:
        return text
    scanner = Scanner(text)
    kept: list[str] = []
    position = done = 0
    while (match := _COMMENT_OR_OPAQUE.search(text, position, last + 4)) is not None:
        if match.group(1):
            position = max(match.end(), scanner.closing_tag(match.group(1).lower(), match.end())[1])
            continue
        start, end = match.start(), _comment_end(text, match.start())
        line = text.rfind("\n", done, start) + 1
        if line == 0 and (done == 0 or text[done - 1] == "\n"):
            line = done
        if (line or not done) and not text[line:start].strip(" \t"):
            start, end = _with_line(text, line, start, end)
        kept.append(text[done:start])
        position = done = end
    kept.append(text[done:])
    return "".join(kept)


def _comment_end(text: str, start: int) -> int:
    end = text.find("-->", start + 4)
    return len(text) if end < 0 else end + 3


def _with_line(text: str, line: int, start: int, end: int) -> tuple[int, int]:
    """What goes with the comment that is the first of its line: the line, where nothing but comments is on it."""
    after = _after_blanks(text, end)
    while text.startswith("<!--", after):
        after = _after_blanks(text, _comment_end(text, after))
    return (line, after + 1) if text.startswith("\n", after) else (start, end)


def _after_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match is not None else position
