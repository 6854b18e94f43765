"""What Pandoc, MyST, kramdown, Jekyll, Hugo, MkDocs and Obsidian add to Markdown → what CommonMark knows, or nothing.

Line by line, and never inside code. Marks go and the text that they stand around stays; what an author did not write
for readers (comments, citations' keys, calls of templates) goes as well.
"""

import re
from collections.abc import Callable, Iterable, Iterator

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_TEXT_DIRECTIVE = re.compile(
    r"\{(?:note|tip|hint|warning|important|admonition|caution|attention|danger|error|seealso|margin|sidebar|epigraph|"
    r"pull-quote|dropdown|topic)\}"
)
_TITLE_BLOCK = re.compile(r"%\s?\S")
# Whole lines: divisions, targets, block breaks, comments, attribute lists, calls of templates, commands of LaTeX.
_MARK_LINE = re.compile(
    r"\s*(?::{3,}(?:\s*[\w{}.:#=\"-]+.{0,100})?|\([\w:. -]{1,80}\)=|\+\+\+(?:\s.*)?|\{:[^{}]*\}|"
    r"\{%(?:(?!%\}).)*%\}(?:\s*\{%(?:(?!%\}).)*%\})*|\{\{[<%](?:(?!\}\}).)*\}\}|"
    r"\\(?:newpage|pagebreak|clearpage|tableofcontents|toc)|"
    r"\[(?:TOC|toc)\]|\[\[_?TOC_?\]\])\s*"
)
_HIGHLIGHT = re.compile(r"\s*\{%-?\s*(?:highlight|raw|comment|mermaid)\b")
_END_HIGHLIGHT = re.compile(r"\{%-?\s*end(?:highlight|raw|comment|mermaid)\b")
_EQUATION = re.compile(r"\s*\\begin\{(equation|align|gather|multline|eqnarray|displaymath)\*?\}")
_END_EQUATION = re.compile(r"\\end\{(?:equation|align|gather|multline|eqnarray|displaymath)\*?\}")
_ADMONITION = re.compile(r'(\s*)(?:!!!|\?\?\?\+?)(?:\s+[a-z-]+)+(?:\s+"[^"]*")?\s*')
_COMMENT = re.compile(r"%(?:\s.*)?")
# Behind so many lines what seemed to begin code or a formula has not: it is text.
_LONGEST_HIDDEN = 400
_CODE_SPAN = re.compile(r"(`+[^`]*`+)")
_ROLE = re.compile(r"\{[a-zA-Z][\w:.-]{0,30}\}(?=`)|(?<=`)\{[.#][^{}\n]{0,200}\}")
_INLINE: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("^[", re.compile(r"\s?\^\[[^\[\]\n]{1,1000}\]"), ""),
    ("@", re.compile(r"\s?\[(?:[^\[\]\n@]{0,60}[\s;])?@[\w:.#$%&+?<>~/-]{1,100}[^\[\]\n]{0,200}\](?![(\[{:])"), ""),
    ("[-@", re.compile(r"\s?\[-@[^\[\]\n]{1,200}\]"), ""),
    ("]{", re.compile(r"(?<![!\]])\[([^\[\]\n]{1,300})\]\{[.#][^{}\n]{0,200}\}"), r"\1"),
    ("{", re.compile(r"(?<=[)\]`*]) ?\{(?:[.#:][^{}\n]{0,200}|[\w-]{1,30}=[^{}\n]{0,200})\}"), ""),
    ("{", re.compile(r" \{(?:[.#:][^{}\n]{0,200}|-)\}\s*$"), ""),
    ("{%", re.compile(r"\{%[^%\n]{0,300}%\}"), ""),
    ("{{", re.compile(r"\{\{[<%][^{}\n]{0,300}\}\}"), ""),
    ("%%", re.compile(r"\s?%%[^%\n]{1,1000}%%"), ""),
    (" ^", re.compile(r" \^[A-Za-z][\w-]{2,60}\s*$"), ""),
    ("~", re.compile(r"(?<=\w)~([\w+-]{1,10})~(?!~)"), r"\1"),
    ("^", re.compile(r"(?<=[\w)])\^([\w+-]{1,10})\^"), r"^\1"),
)


def common_lines(lines: Iterable[str], left_out: Callable[[str, int], None]) -> Iterator[str]:
    """The lines as CommonMark has them; what goes with its text is told to `left_out`, by kind, in characters."""
    fence = directive = ""
    hidden, end_of_hidden = "", re.compile("")
    held: list[str] = []
    blank = True
    indented = -1
    in_title = True
    for line in lines:
        mark = _FENCE.match(line) if "`" in line or "~" in line else None
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            yield line
            continue
        if hidden:
            held.append(line)
            if end_of_hidden.search(line):
                left_out(hidden, sum(map(len, held)))
                hidden, held = "", []
            elif len(held) > _LONGEST_HIDDEN:
                yield from held
                hidden, held = "", []
            continue
        if in_title and _TITLE_BLOCK.match(line):  # Pandoc's: title, authors, date
            left_out("front_matter", len(line))
            continue
        in_title = False
        if indented >= 0:
            if line[: indented + 4].strip():
                indented = -1
            else:
                line = line[indented + 4 :]
        if mark:
            if directive and mark[1].startswith(directive) and not mark[2].strip():
                directive, line = "", ""
            elif _TEXT_DIRECTIVE.match(mark[2].strip()):
                directive, line = mark[1], ""
            else:
                fence = mark[1]
            yield line
            continue
        was_blank, blank = blank, not line.strip()
        if _HIGHLIGHT.match(line) and not _END_HIGHLIGHT.search(line):
            hidden, end_of_hidden = "code", _END_HIGHLIGHT
        elif (equation := _EQUATION.match(line)) and "\\end{" not in line:
            hidden, end_of_hidden = "formulas", _END_EQUATION
        elif admonition := _ADMONITION.fullmatch(line):
            indented, line = len(admonition[1]), ""
        elif equation:
            left_out("formulas", len(line))
            line = ""
        elif (not line.startswith(("    ", "\t")) and _MARK_LINE.fullmatch(line)) or (
            was_blank and _COMMENT.fullmatch(line)
        ):
            line = ""
        if hidden:
            held, line = [line], ""
        yield _without_marks(line)
    yield from held


def _without_marks(line: str) -> str:
    if line.startswith(("    ", "\t")):  # it may be code
        return line
    if "`" in line:
        line = _ROLE.sub("", line)
        pieces = _CODE_SPAN.split(line)
        pieces[::2] = [_plain(piece) for piece in pieces[::2]]
        return "".join(pieces)
    return _plain(line)


def _plain(text: str) -> str:
    for sign, pattern, replacement in _INLINE:
        if sign in text:
            text = pattern.sub(replacement, text)
    return text
