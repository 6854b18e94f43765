"""Markdown → blocks of running text: CommonMark, with tables, struck-out text and the habits of notes.

Paragraphs, quotations and items of lists are text. Fenced and indented code, tables, pictures, formulas that stand
alone, notes, comments and a front matter are not; what goes is counted in characters, by kind. HTML inside is read by
HTML's rules. A file is read in sections of some hundred kilobytes, cut between blocks, so that memory is bounded.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from preprocessing.sources.html.parsing import parse_html
from preprocessing.sources.html.running_text import RunningText
from preprocessing.sources.paragraphs import joins_without_space
from preprocessing.sources.text_files.markdown_dialects import common_lines
from preprocessing.sources.text_files.markdown_lines import NOTE_LABEL, plain_lines, sections
from preprocessing.tally import Tally

# markdown-it looks for the ends of links again and again; a paragraph as long as this has none to speak of.
_LONGEST_INLINE = 20_000
_DEEPEST = 60
_LEFT_OUT = {"fence": "code", "code_block": "code"}
_NOTE_MARK = re.compile(rf"\s?\[\^({NOTE_LABEL})\](?!:)")
_WIKI_LINK = re.compile(r"(!?)\[\[([^\[\]|\n]{1,300})(?:\|([^\[\]\n]{1,300}))?\]\]")
# What an item of a list, or a quotation, may begin with: the box of a task, the kind of a callout.
_MARKS = {
    "list_item_open": re.compile(r"\[[ xX]\](?:\s|$)"),
    "blockquote_open": re.compile(r"\[![A-Za-z][\w-]{0,30}(?:\|[^\[\]\n]{0,100})?\][-+]?(?:\s|$)"),
}
_HIGHLIGHT = re.compile(r"==(?=\S)([^=\n]{1,1000})==")
_PLAIN = re.compile(r"[^\\`*_~!\[\]<>&=]*")


class MarkdownText:
    """The blocks of one file; `title` is that of its front matter. Counters: `text.left_out_characters.KIND`."""

    def __init__(self, lines: Iterable[str], tally: Tally) -> None:
        self._tally = tally
        self._lines, self.title, characters = plain_lines(lines)
        self._left_out("front_matter", characters)
        # Two, so that a paragraph is looked at before its inside is parsed.
        self._block_rules, self._inline_rules = _markdown(), _markdown()
        self._block_rules.core.ruler.disable("inline")

    def blocks(self) -> Iterator[tuple[bool, str]]:
        """(is heading, text) in order."""
        environment: dict[str, object] = {}  # definitions of links hold for all that follows
        for section in sections(common_lines(self._lines, self._left_out)):
            for kind, characters in section.left_out.items():
                self._left_out(kind, characters)
            yield from self._section(section.text, section.labels, environment)

    def _section(self, text: str, labels: frozenset[str], environment: dict[str, object]) -> Iterator[tuple[bool, str]]:
        in_heading = False
        table_depth = 0
        outer = before = ""  # the types of the last two tokens
        for token in self._block_rules.parse(text, environment):
            if token.type in ("table_open", "table_close"):
                table_depth += token.nesting
            elif token.type in ("heading_open", "heading_close"):
                in_heading = token.type == "heading_open"
            elif token.type in _LEFT_OUT:
                self._left_out(_LEFT_OUT[token.type], len(token.content.strip()))
            elif token.type == "html_block":
                yield from self._html(token.content)
            elif token.type == "inline" and table_depth:
                self._left_out("tables", len(token.content))
            elif token.type == "inline":
                mark = _MARKS[outer].match(token.content) if outer in _MARKS else None
                for heading, paragraph in self._inline(token.content[mark.end() if mark else 0 :], labels, environment):
                    yield in_heading or heading, paragraph
            outer, before = before, token.type

    def _inline(self, content: str, labels: frozenset[str], environment: dict[str, object]) -> list[tuple[bool, str]]:
        """The text of one paragraph or heading; several blocks where HTML inside it says so."""
        if len(content) > _LONGEST_INLINE or _PLAIN.fullmatch(content):
            return [(False, text)] if (text := joined(content)) else []
        tokens = self._inline_rules.parseInline(content, environment)[0].children or []
        if any(token.type == "html_inline" and not token.content.startswith("<!--") for token in tokens):
            return self._html("".join(self._piece(token, labels, as_html=True) for token in tokens))
        text = joined("".join(self._piece(token, labels, as_html=False) for token in tokens))
        return [(False, text)] if text else []

    def _piece(self, token: Token, labels: frozenset[str], as_html: bool) -> str:
        text = token.content
        if token.type == "html_inline":
            return text if as_html else ""
        if token.type == "image":
            self._left_out("pictures", len(text))
            return ""
        if token.type in ("softbreak", "hardbreak"):
            return "\n"
        if token.type == "text":
            text = _NOTE_MARK.sub(lambda mark: "" if mark[1].isdigit() or mark[1] in labels else mark[0], text)
            text = _HIGHLIGHT.sub(r"\1", _WIKI_LINK.sub(lambda link: "" if link[1] else link[3] or link[2], text))
        return html.escape(text, quote=False) if as_html else text

    def _html(self, content: str) -> list[tuple[bool, str]]:
        page = parse_html(f"<div>{content}</div>", RunningText(is_page=True)).finish()
        for kind, characters in page.left_out.items():
            self._left_out(kind, characters)
        return page.blocks

    def _left_out(self, kind: str, characters: int) -> None:
        if characters:
            self._tally.count(f"text.left_out_characters.{kind}", characters)


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"maxNesting": _DEEPEST}).enable(["table", "strikethrough"])


def joined(text: str) -> str:
    """The lines of a paragraph as one."""
    parts = [line for line in map(str.strip, text.split("\n")) if line]
    pieces = parts[:1]
    for before, after in itertools.pairwise(parts):
        pieces.append(after if joins_without_space(before, after) else f" {after}")
    return " ".join("".join(pieces).split())
