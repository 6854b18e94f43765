"""Wikitext → lines of text: one pass over the tokens with an explicit stack of open templates.

What remains for `paragraphs.py` is what belongs to lines: headings, list marks, quotes, entities.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from preprocessing.wikitext import markup_tokens
from preprocessing.wikitext.links import Site, is_hidden, shown_text
from preprocessing.wikitext.magic_words import page_names
from preprocessing.wikitext.scanner import FAILED, Scanner
from preprocessing.wikitext.templates.expansion import template_table
from preprocessing.wikitext.templates.expressions import Render

# Deeper templates are skipped, not rendered: each open level copies its text once when it closes.
DEPTH_LIMIT = 40


@dataclass(slots=True)
class _OpenTemplate:
    render: Render
    first: int  # index of its first piece in the output
    cuts: list[int]  # indexes of the pieces that follow a pipe
    name: str
    start: int  # where it begins in the text


class Renderer:
    """Renders one page. `lost` counts the characters of skipped templates by their raw names.

    `lost_inline` does so for those that stood inside a line of text. `title` is that of the page, if it is known.
    """

    def __init__(self, text: str, site: Site, lost: dict[str, int], title: str = "") -> None:
        self.text = text
        self.site = site
        self.lost = lost
        self.lost_inline: dict[str, int] = {}
        self.title = title
        self.page_names = page_names(site.language) if title else frozenset[str]()
        self.renderers = template_table(site.language, site.template_map)
        self.scanner = Scanner(text)
        self.pieces: list[str] = []
        self.open_templates: list[_OpenTemplate] = []
        self.open_external_links = 0
        self.steps = 0

    def render(self) -> str:
        """The text with all inline markup resolved; each step moves the position forward."""
        text, search, append = self.text, markup_tokens.TOKEN.search, self.pieces.append
        marks: dict[str, Callable[[int], int]] = {
            "{{": self._open_template,
            "}}": self._close_template,
            "[[": self._open_link,
            "]]": self._close_link,
            "]": self._close_bracket,
            "{|": self._open_table,
            "|": self._pipe,
            "<!--": self.scanner.after_comment,
        }
        lose, renders = self._lose_template, self.renderers
        position = steps = 0
        while (match := search(text, position)) is not None:
            steps += 1
            start = match.start()
            if start > position:
                append(text[position:start])
            kind = match.lastindex
            if kind == 1 or kind == 2:  # a link
                target, label = match.group(1, 2)
                if ":" not in target and (label or label is None):
                    append(label or target)
                else:
                    append(shown_text(target, label, self.site))
                position = match.end()
            elif kind == 4:  # a template
                name, arguments = match.group(3, 4)
                render = renders[name]
                position = match.end()
                if render is None:
                    lose(name, start, position)
                else:
                    shown = render(arguments.split("|")[1:])
                    append(shown)
                    if not shown and arguments.strip("| "):  # none of them is what the renderer asks for
                        lose(name, start, position)
            elif kind == 8:  # a tag
                position = self._tag(start, match.end(), *match.group(6, 7, 8))
            elif kind == 5:  # an external link
                append(match.group(5))
                position = match.end()
            else:
                mark = marks.get(match.group())
                position = mark(start) if mark is not None else self._open_external_link(match.end())
        append(text[position:])
        self.steps = steps + self.scanner.steps
        return "".join(self.pieces)

    def _open_template(self, start: int) -> int:
        head = markup_tokens.TEMPLATE_NAME.match(self.text, start + 2)
        assert head is not None
        name = head.group()
        render = self.renderers[name]
        if render is None or len(self.open_templates) >= DEPTH_LIMIT:
            end = self.scanner.after_template(start)
            if end == FAILED:
                return start + 2
            if self.text.startswith("{{{", start) and self.text.startswith("}", end):
                end += 1  # a parameter, {{{name|default}}}
            self._lose_template(name, start, end)
            return end
        first = len(self.pieces)
        self.open_templates.append(_OpenTemplate(render, first, [first] if name.endswith(":") else [], name, start))
        return head.end()

    def _lose_template(self, name: str, start: int, end: int) -> None:
        if self.page_names and name.strip() in self.page_names:
            self.pieces.append(self.title)
            return
        lost, text = self.lost, self.text
        lost[name] = lost.get(name, 0) + end - start
        before = text[start - 1 : start]
        if before == "\n" and text[end : end + 1] == "\n":  # most of them
            return
        if before not in "\n *#:;}" or not _is_alone(text, start, end):
            inline = self.lost_inline
            inline[name] = inline.get(name, 0) + end - start

    def _pipe(self, start: int) -> int:
        if self.open_templates:
            self.open_templates[-1].cuts.append(len(self.pieces))
        else:
            self.pieces.append("|")
        return start + 1

    def _close_template(self, start: int) -> int:
        if self.open_templates:
            template = self.open_templates.pop()
            pieces, cuts = self.pieces, [*template.cuts, len(self.pieces)]
            arguments = ["".join(pieces[a:b]) for a, b in pairwise(cuts)]
            del pieces[template.first :]
            shown = template.render(arguments)
            pieces.append(shown)
            if not shown and any(map(str.strip, arguments)):
                self._lose_template(template.name, template.start, start + 2)
        return start + 2

    def _open_link(self, start: int) -> int:
        head = markup_tokens.LINK_HEAD.match(self.text, start + 2)
        if head is None:
            return start + 2
        target = head.group(1)
        if ":" in target and is_hidden(target, self.site):
            end = self.scanner.after_link(start)
            if end != FAILED:
                return end
        return head.end()

    def _close_link(self, start: int) -> int:
        return start + 2

    def _open_external_link(self, start: int) -> int:
        self.open_external_links += 1
        url = markup_tokens.URL.match(self.text, start)
        return url.end() if url is not None else start

    def _close_bracket(self, start: int) -> int:
        if self.open_external_links:
            self.open_external_links -= 1
        else:
            self.pieces.append("]")
        return start + 1

    def _open_table(self, start: int) -> int:
        # A table starts its line, perhaps behind indentation; elsewhere "{|" is only a brace and a pipe.
        before = self.text[max(0, start - 32) : start].rstrip(" \t:*#")
        if before and before[-1] not in "\n>}" and start > 0:
            self.pieces.append("{")
            return start + 1
        end = self.scanner.after_table(start)
        if end != FAILED:
            return end
        newline = self.text.find("\n", start)
        return newline if newline >= 0 else len(self.text)

    def _tag(self, start: int, end: int, slash: str, name: str, attributes: str) -> int:
        name = name.lower()
        if name in markup_tokens.DROPPED_TAGS:
            if slash or attributes.endswith("/"):
                return end
            closing = self.scanner.closing_tag(name, end)[1]
            return end if closing == FAILED else closing
        if name in markup_tokens.INLINE_TAGS:
            if name == "sup" and not slash:
                self._superscript(end)
            elif name == "table" and not slash:
                after = self.scanner.after_html_table(start, end)
                return end if after == FAILED else after
            elif name == "nowiki" and not slash and not attributes.endswith("/"):
                return self._nowiki(end)
        elif name in markup_tokens.SPACE_TAGS:
            self.pieces.append(" ")
        elif name in markup_tokens.BLOCK_TAGS:
            self.pieces.append("\n\n")
        elif name in markup_tokens.ITEM_TAGS:
            self.pieces.append("\n" if slash else "\n*")
        else:  # not a tag of MediaWiki: shown as it stands
            self.pieces.append("<")
            return start + 1
        return end

    def _superscript(self, content: int) -> None:
        # 10<sup>6</sup> is not 106.
        text, pieces = self.text, self.pieces
        exponent = text[content : content + 1]
        if exponent and exponent in "0123456789-−+" and pieces and pieces[-1][-1:].isdigit():
            pieces.append("^")

    def _nowiki(self, content: int) -> int:
        start, end = self.scanner.closing_tag("nowiki", content)
        if start == FAILED:
            return content
        self.pieces.append(self.text[content:start])
        return end


def _is_alone(text: str, start: int, end: int) -> bool:
    """Whether what stands there begins a line, or an item of a list, and no text follows on it."""
    before = text[max(0, start - 3) : start].rstrip(" ")
    after = text[end : end + 2].lstrip(" ")[:1]
    begins = before in ("", ":", ";") or before[-1] in "\n*#}" or before[-2:] in ("\n:", "\n;")
    return begins and (not after or after in "\n{[<=*#|!")
