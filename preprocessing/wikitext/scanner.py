"""Finding the end of what is skipped whole: templates, tables, files and the content of tags.

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
    name: re.compile(rf"</{name}\b[^<>]*+>", re.IGNORECASE) for name in sorted(markup_tokens.DROPPED_TAGS | {"nowiki"})
}


class Scanner:
    """Positions of closing marks in one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0
        self._unmatched: set[int] = set()
        self._unclosed_tags: set[str] = set()
        self._failures = 0

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

    def after_comment(self, start: int) -> int:
        """End of the comment at `start`; one that is never closed runs to the end, as in MediaWiki."""
        text = self.text
        end = text.find("-->", start + 4)
        if end < 0:
            return len(text)
        end += 3
        # A comment alone on its line takes the line with it; else it would split a paragraph.
        if text.startswith("\n", end) and (start == 0 or text[start - 1] == "\n"):
            end += 1
        return end

    def closing_tag(self, name: str, content: int) -> tuple[int, int]:
        """Start and end of the first `</name>` at or after `content`, or (FAILED, FAILED)."""
        if name in self._unclosed_tags:
            return FAILED, FAILED
        match = _CLOSING[name].search(self.text, content)
        if match is None:
            self._unclosed_tags.add(name)
            return FAILED, FAILED
        return match.span()

    def _after(self, start: int, position: int, pattern: re.Pattern[str]) -> int:
        if start in self._unmatched or self._failures >= FAILURE_LIMIT:
            return FAILED
        text, search = self.text, pattern.search
        opened = [start]
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
            elif kind == 3:
                if not match.group().endswith("/>"):
                    position = max(position, self.closing_tag(match.group(3).lower(), position)[1])
            elif match.group() == "<!--":
                position = self.after_comment(match.start())
        self._unmatched.update(opened)
        self._failures += 1
        return FAILED
