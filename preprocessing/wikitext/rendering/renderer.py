"""The loop over the tokens of a page: templates, links and tables.

What remains for `paragraphs.py` is what belongs to lines: headings, list marks, quotes, entities.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from preprocessing.wikitext import markup_tokens
from preprocessing.wikitext.links import Site, is_hidden, shown_text
from preprocessing.wikitext.literals import UNCLOSED_TABLE
from preprocessing.wikitext.magic_words import page_names
from preprocessing.wikitext.rendering.output import Output
from preprocessing.wikitext.rendering.tags import Tags
from preprocessing.wikitext.scanner import FAILED, Scanner
from preprocessing.wikitext.templates.expansion import template_table
from preprocessing.wikitext.templates.expressions import RAISED, Render

# Deeper templates are skipped, not rendered: each open level copies its text once when it closes.
DEPTH_LIMIT = 40
# MediaWiki's titles have at most 255 bytes, of which templates may take more in the source.
_TITLE_LIMIT = 512


@dataclass(slots=True)
class _OpenTemplate:
    render: Render
    first: int  # index of its first piece in the output
    cuts: list[int]  # indexes of the pieces that follow a pipe
    name: str
    start: int  # where it begins in the text
    links_around: int  # open links that the template stands in


@dataclass(slots=True)
class _OpenTitle:
    """A link whose title holds a template or a tag; a pipe would turn the title into what is not shown."""

    first: int
    start: int
    depth: int  # of templates


class Renderer:
    """Renders one page; `output` says what was lost. `title` is that of the page, if it is known."""

    def __init__(self, text: str, site: Site, title: str = "") -> None:
        self.text = text
        self.site = site
        self.title = title
        self.page_names = page_names(site.language) if title else frozenset[str]()
        self.renderers = template_table(site.language, site.template_map)
        self.scanner = Scanner(text)
        self.output = Output(text)
        self.pieces = self.output.pieces
        self.tags = Tags(self.output, self.scanner)
        self.open_templates: list[_OpenTemplate] = []
        self.open_links = 0  # with their labels, in the innermost open template
        self.open_title: _OpenTitle | None = None
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
            "{{{!}}": self._open_table,
            "|": self._pipe,
        }
        lose, renders, opened = self._lose_template, self.renderers, self.open_templates
        output, leave_out, read_tag = self.output, self.output.leave_out, self.tags.read
        position = steps = 0
        while (match := search(text, position)) is not None:
            steps += 1
            start, end = match.span()
            if start > position:
                append(text[position:start])
            position = end
            kind = match.lastindex
            if kind is None:
                mark = marks.get(match.group())
                position = mark(start) if mark is not None else self._open_external_link(start, end)
            elif kind < 5:  # a link
                if kind < 3:  # its target or its label, as it stands
                    shown = match[kind]
                elif "//" in (target := match[3]) and markup_tokens.SCHEME.match(target):
                    append("[")  # an external link with one bracket too many on both sides
                    position = start + 1
                    continue
                else:
                    shown = shown_text(target, match[4], self.site)
                if shown < "0" or "'" in shown or (opened and "=" in shown):  # signs stand before digits
                    shown = output.link_text(start, shown, match[2] or match[4], bool(opened))
                append(shown)
            elif kind == 8:  # a reference
                leave_out(start, end)
            elif kind == 6:  # a template
                name, arguments = match.group(5, 6)
                render = renders[name]
                if render is None:
                    if name == "(!":
                        position = self._open_table(start)
                    else:
                        lose(name, start, end)
                else:
                    shown = render(arguments.split("|")[1:])
                    if shown and not opened and "'" not in shown and render is not RAISED:
                        append(shown)
                    else:
                        self._show(render, shown, start, end)
                        if not shown and arguments.strip("| "):  # none of them is what the renderer asks for
                            output.count_lost(name, start, end)
            elif kind == 11:  # a tag
                position = read_tag(start, end, *match.group(9, 10, 11))
            else:  # an external link
                append(match[kind])
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
        cuts = [first] if name.endswith(":") else []
        self.open_templates.append(_OpenTemplate(render, first, cuts, name, start, self.open_links))
        self.open_links = 0
        return head.end()

    def _lose_template(self, name: str, start: int, end: int) -> None:
        if self.page_names and name.strip() in self.page_names:
            self.pieces.append(self.title)
            return
        self.output.count_lost(name, start, end)
        self.output.leave_out(start, end)

    def _pipe(self, start: int) -> int:
        title = self.open_title
        if title is not None and title.depth == len(self.open_templates):
            self.open_title = None
            if start - title.start <= _TITLE_LIMIT and "\n" not in self.text[title.start : start]:
                del self.pieces[title.first :]
                self.open_links += 1
                return start + 1
        if self.open_templates and not self.open_links:
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
            self.tags.forget_raised(template.first)
            shown = template.render(arguments)
            self._show(template.render, shown, template.start, start + 2)
            if not shown and any(map(str.strip, arguments)):
                self.output.count_lost(template.name, template.start, start + 2)
            self.open_links = template.links_around
            if self.open_title is not None and self.open_title.depth > len(self.open_templates):
                self.open_title = None
        return start + 2

    def _show(self, render: Render, shown: str, start: int, end: int) -> None:
        text = self.output.template_text(start, end, shown, bool(self.open_templates))
        if shown and render is RAISED:
            self.tags.raise_text(text, end)
        else:
            self.pieces.append(text)

    def _open_link(self, start: int) -> int:
        head = markup_tokens.LINK_HEAD.match(self.text, start + 2)
        assert head is not None
        target, pipe = head.group(1, 2)
        if ":" in target and is_hidden(target, self.site):
            end = self.scanner.after_link(start)
            if end != FAILED:
                return self.output.leave_out(start, end)
        self.open_title = None
        if pipe:
            self.open_links += 1
            return head.end()
        if self.text[head.end() : head.end() + 1] in ("{", "<"):
            self.open_title = _OpenTitle(len(self.pieces), start, len(self.open_templates))
        return start + 2

    def _close_link(self, start: int) -> int:
        title = self.open_title
        if title is not None and title.depth == len(self.open_templates):
            self.open_title = None
        elif self.open_links:
            self.open_links -= 1
        elif self.open_external_links:
            self.open_external_links -= 1
            return start + 1
        return start + 2

    def _open_external_link(self, start: int, address: int) -> int:
        url = markup_tokens.URL.match(self.text, address)
        if url is None or not self.scanner.closes_on_line(url.end()):
            self.pieces.append("[")
            return start + 1
        self.open_external_links += 1
        return url.end()

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
        self.output.has_literals = True
        self.pieces.append(f"\n{UNCLOSED_TABLE}\n")
        newline = self.text.find("\n", start)
        return newline if newline >= 0 else len(self.text)
