"""Wikitext → lines of text: one pass over the tokens with an explicit stack of open templates.

What remains for `paragraphs.py` is what belongs to lines: headings, list marks, quotes, entities.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from preprocessing.wikitext import markup_tokens
from preprocessing.wikitext.apostrophes import without_marks
from preprocessing.wikitext.links import Site, is_hidden, shown_text
from preprocessing.wikitext.literals import APOSTROPHE, BREAK, GAP, OBJECTS, UNCLOSED_TABLE, literal, shield_edges
from preprocessing.wikitext.magic_words import page_names
from preprocessing.wikitext.scanner import FAILED, Scanner
from preprocessing.wikitext.templates.expansion import template_table
from preprocessing.wikitext.templates.expressions import Render

# Deeper templates are skipped, not rendered: each open level copies its text once when it closes.
DEPTH_LIMIT = 40
# MediaWiki's titles have at most 255 bytes, of which templates may take more in the source.
_TITLE_LIMIT = 512
_POWER_PIECES = 8
_STOPS = frozenset((", ", ". "))
_LINE_MARKS = frozenset("*#:!-")


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
    """Renders one page. `lost` counts the characters of skipped templates by their raw names.

    `lost_inline` does so for those that stood inside a line of text. `title` is that of the page, if it is known.
    """

    def __init__(self, text: str, site: Site, title: str = "") -> None:
        self.text = text
        self.site = site
        self.lost: dict[str, int] = {}
        self.lost_inline: dict[str, int] = {}
        self.title = title
        self.page_names = page_names(site.language) if title else frozenset[str]()
        self.renderers = template_table(site.language, site.template_map)
        self.scanner = Scanner(text)
        self.pieces: list[str] = []
        self.open_templates: list[_OpenTemplate] = []
        self.open_links = 0  # with their labels, in the innermost open template
        self.open_title: _OpenTitle | None = None
        self.open_external_links = 0
        self.raised: int | None = None  # index of the first piece of an open <sup>
        self.in_ruby = False
        self.steps = 0
        # Whether characters of `literals` stand in the output.
        self.has_literals = False

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
                if ":" not in target and label != "":
                    shown = label or target
                elif "//" in target and markup_tokens.SCHEME.match(target):
                    append("[")  # an external link with one bracket too many on both sides
                    position = start + 1
                    continue
                else:
                    shown = shown_text(target, label, self.site)
                if shown < "0" or "'" in shown:  # signs stand before digits
                    shown = self._link_text(start, shown, label)
                append(shown)
                position = match.end()
            elif kind == 4:  # a template
                name, arguments = match.group(3, 4)
                render = renders[name]
                position = match.end()
                if render is None:
                    if name == "(!":
                        position = self._open_table(start)
                    else:
                        lose(name, start, position)
                else:
                    shown = render(arguments.split("|")[1:])
                    append(self._rendered(shown))
                    if not shown and arguments.strip("| "):  # none of them is what the renderer asks for
                        self._count_lost(name, start, position)
            elif kind == 8:  # a tag
                position = self._tag(start, match.end(), *match.group(6, 7, 8))
            elif kind == 5:  # an external link
                append(match.group(5))
                position = match.end()
            else:
                mark = marks.get(match.group())
                position = mark(start) if mark is not None else self._open_external_link(start, match.end())
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
        self._count_lost(name, start, end)
        self._leave_out(start, end)

    def _count_lost(self, name: str, start: int, end: int) -> None:
        lost, text = self.lost, self.text
        lost[name] = lost.get(name, 0) + end - start
        before = text[start - 1 : start]
        if before == "\n" and text[end : end + 1] == "\n":  # most of them
            return
        if before not in "\n *#:;}" or not _is_alone(text, start, end):
            inline = self.lost_inline
            inline[name] = inline.get(name, 0) + end - start

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
            shown = template.render(arguments)
            pieces.append(self._rendered(shown))
            if not shown and any(map(str.strip, arguments)):
                self._count_lost(template.name, template.start, start + 2)
            self.open_links = template.links_around
            if self.raised is not None and self.raised > template.first:
                self.raised = None
            if self.open_title is not None and self.open_title.depth > len(self.open_templates):
                self.open_title = None
        return start + 2

    def _rendered(self, shown: str) -> str:
        if "'" in shown and (shielded := shield_edges(shown)) != shown:
            self.has_literals = True
            return shielded
        return shown or GAP

    def _open_link(self, start: int) -> int:
        head = markup_tokens.LINK_HEAD.match(self.text, start + 2)
        assert head is not None
        target, pipe = head.group(1, 2)
        if ":" in target and is_hidden(target, self.site):
            end = self.scanner.after_link(start)
            if end != FAILED:
                return self._leave_out(start, end)
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

    def _link_text(self, start: int, shown: str, label: str | None) -> str:
        """A label has italics of its own; in a title that is shown, apostrophes are text. No list begins in a link."""
        if label and "''" in shown:
            shown = "\n".join(map(without_marks, shown.split("\n")))
        text = shown.replace("'", APOSTROPHE) if "''" in shown else shield_edges(shown)
        if text[:1] in _LINE_MARKS and self.text[start - 1 : start] in ("", "\n"):
            text = BREAK + text
        self.has_literals = self.has_literals or text != shown
        return text or GAP

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
        self.has_literals = True
        self.pieces.append(f"\n{UNCLOSED_TABLE}\n")
        newline = self.text.find("\n", start)
        return newline if newline >= 0 else len(self.text)

    def _tag(self, start: int, end: int, slash: str, name: str, attributes: str) -> int:
        name = name.lower()
        if self.text[end : end + 1] == "'" == self.text[start - 1 : start]:
            self.has_literals = True
            self.pieces.append(BREAK)  # apostrophes on both sides of a tag do not join
        if name in markup_tokens.DROPPED_TAGS:  # most are references, so all of it stands here
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
            self.pieces.append(GAP)
            if self.text[end : end + 2] in _STOPS:
                self._close_up(start)
            return end
        if name in markup_tokens.INLINE_TAGS:
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
        elif name in markup_tokens.SPACE_TAGS:
            self.pieces.append(" ")
        elif name in markup_tokens.BLOCK_TAGS:
            self.pieces.append("\n\n")
        elif name in markup_tokens.ITEM_TAGS:
            self.pieces.append("\n" if slash else "\n*")
        elif name in markup_tokens.HEADING_TAGS:
            self.pieces.append("\n\n")
            after = end if slash else self.scanner.closing_tag(name, end)[1]
            return end if after == FAILED else after
        else:  # not a tag of MediaWiki: shown as it stands
            self.pieces.append("<")
            return start + 1
        return end

    def _object(self, start: int, end: int, name: str) -> int:
        self.has_literals = True
        self.lost[f"<{name}>"] = self.lost.get(f"<{name}>", 0) + end - start
        self.pieces.append(OBJECTS[name])
        return end

    def _leave_out(self, start: int, end: int) -> int:
        self.pieces.append(GAP)
        if self.text[end : end + 2] in _STOPS:
            self._close_up(start)
        return end

    def _close_up(self, start: int) -> None:
        """Take away the space before a gap that a comma or full stop follows, unless one stands before it too."""
        pieces, before = self.pieces, self.text[max(0, start - 2) : start]
        if before[-1:] == " " and before[0] not in ",." and len(pieces) > 1 and pieces[-2].endswith(" "):
            pieces[-2] = pieces[-2][:-1]

    def _superscript(self, is_end: bool, end: int) -> None:
        """10<sup>6</sup> is not 106: what is raised is known where it ends, and written as a power if it is one."""
        pieces, raised, self.raised = self.pieces, self.raised, None
        if raised is not None and raised < len(pieces) <= raised + _POWER_PIECES:
            before = pieces[raised - 1][-8:].rstrip("'")[-1:]
            mark = markup_tokens.power_mark(before, "".join(pieces[raised:]), self.text[end : end + 6])
            pieces[raised] = mark + pieces[raised]
            # 5d<sup>10</sup>6s is not 5d^106s.
            if mark == "^" and self.text[end : end + 1].isalnum():
                pieces.append(" ")
        if not is_end and pieces:
            self.raised = len(pieces)

    def _ruby(self, start: int, is_end: bool) -> None:
        # What stands above a word follows it in brackets, which a page may bring along itself.
        if is_end or self.text[start - 5 : start].lower() != "</rp>":
            opened = self.in_ruby
            self.in_ruby = not is_end
            if opened or not is_end:
                self.pieces.append(")" if is_end else "(")

    def _nowiki(self, content: int, attributes: str) -> int:
        self.has_literals = True
        if attributes.endswith("/"):
            self.pieces.append(BREAK)
            return content
        start, end = self.scanner.closing_tag("nowiki", content)
        if start == FAILED:
            return content
        self.pieces.append(BREAK + literal(self.text[content:start]) + BREAK)
        return end


def _is_alone(text: str, start: int, end: int) -> bool:
    """Whether what stands there begins a line, or an item of a list, and no text follows on it."""
    before = text[max(0, start - 3) : start].rstrip(" ")
    after = text[end : end + 2].lstrip(" ")[:1]
    begins = before in ("", ":", ";") or before[-1] in "\n*#}" or before[-2:] in ("\n:", "\n;")
    return begins and (not after or after in "\n{[<=*#|!")
