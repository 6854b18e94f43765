"""Markup → events for a handler: by the rules of XML where the text keeps them, else by those of HTML.

XML is read by expat, HTML and what only claims to be XML by libxml2 (its tokenizer is that of the HTML Standard since
2.14). Both stream, in linear time, and neither builds a tree: a million open elements cost nothing. Document type
declarations are taken out before either sees them, so no entity is ever defined, expanded or fetched.
"""

import contextlib
import html
import html.entities
import re
import xml.parsers.expat as expat
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from lxml import etree

from preprocessing.errors import PreprocessingError

_FEED_CHARACTERS = 1 << 16
_LEAST_LIBXML2 = (2, 14)
_BEFORE_MARKUP = re.compile(r"(?:[\ufeff\s\0]+|<\?[^>]*>|<!--.*?-->)*+", re.DOTALL)
_MARKUP = re.compile(r"<[A-Za-z_]")
_DOCTYPE = re.compile(r"<!DOCTYPE\b", re.IGNORECASE)
_IN_DOCTYPE = re.compile(r"""<!--|["'\[\]>]""")
_ROOT = re.compile(r"<(?:html|head|body|package|container|encryption|dtbook)\b", re.IGNORECASE)
_CDATA, _END_OF_CDATA = "<![CDATA[", "]]>"
_ENTITY_NAME = re.compile(r"<!ENTITY\s+([^\s%]+)")


def require_parser() -> None:
    """Raises PreprocessingError where lxml was built with a libxml2 that reads HTML by other rules than here."""
    version = etree.LIBXML_VERSION
    if version < _LEAST_LIBXML2:
        raise PreprocessingError(
            f"lxml {etree.__version__} is built with libxml2 {'.'.join(map(str, version))}, and HTML is read by the "
            f"rules of {'.'.join(map(str, _LEAST_LIBXML2))} or later; install lxml from its wheels (pip install "
            "--only-binary lxml lxml), or build it with a later libxml2."
        )


class MarkupError(Exception):
    """Text that is not read as markup, and why."""


class EntityError(MarkupError):
    """Text that defines what its entities stand for, and uses it: that is never done."""


class Handler(Protocol):
    """Takes the events of one text; element names come as they are written, prefixes included."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, name: str) -> None: ...
    def characters(self, text: str) -> None: ...


AnyHandler = TypeVar("AnyHandler", bound=Handler)


def parse_xml(text: str, make_handler: Callable[[], AnyHandler]) -> tuple[AnyHandler, bool]:
    """(handler after all events, whether the text kept XML's rules); where it does not, a new handler is told HTML's.

    Raises MarkupError for text without a tag, and where an entity is used that the text declares itself.
    """
    body, declared = _without_declarations(text)
    handler = make_handler()
    try:
        _feed_expat(body, handler, declared)
        return handler, True
    except expat.ExpatError:
        handler = make_handler()
        _feed_html(_without_sections(body), handler)
        return handler, False


def parse_html(text: str, handler: AnyHandler) -> AnyHandler:
    """The handler after all events of the text by HTML's rules, for which a text without a tag is a paragraph."""
    try:
        body, _ = _without_declarations(text)
    except MarkupError:
        body = f"<body>{text}"
    _feed_html(body, handler)
    return handler


def _without_declarations(text: str) -> tuple[str, frozenset[str]]:
    """The text from its first tag on, without XML and document type declarations; and the entities it declared."""
    text = text[_BEFORE_MARKUP.match(text).end() :]  # type: ignore[union-attr]  # it may match nothing, but it matches
    root = _MARKUP.search(text)
    if not root:
        raise MarkupError("it holds no markup" if text.strip() else "it is empty")
    doctype = _DOCTYPE.search(text, 0, root.start())
    if not doctype:
        return text, frozenset()
    end = _end_of_doctype(text, doctype.end())
    declared = frozenset(_ENTITY_NAME.findall(text, doctype.end(), end))
    return text[: doctype.start()] + text[end:], declared


def _without_sections(text: str) -> str:
    """CDATA sections as other text: HTML has none, and would lose them. One without an end stays as it is."""
    parts = []
    position = 0
    while (begin := text.find(_CDATA, position)) >= 0:
        end = text.find(_END_OF_CDATA, begin)
        if end < 0:
            break
        parts += [text[position:begin], html.escape(text[begin + len(_CDATA) : end], quote=False)]
        position = end + len(_END_OF_CDATA)
    return "".join([*parts, text[position:]])


def _end_of_doctype(text: str, position: int) -> int:
    """Behind the `>` of a document type declaration.

    One that never ends, or only inside the text, is damaged: it ends at its first `>`, as in HTML.
    """
    first = text.find(">", position) + 1 or len(text)
    root = _ROOT.search(text, position)
    limit = root.start() if root else len(text)
    if text.find("[", position, first) < 0:
        return first
    depth = 0
    unclosed = set()  # sought once: what has no end here has none further on
    while mark := _IN_DOCTYPE.search(text, position, limit):
        position = mark.end()
        if mark[0] == "<!--" or mark[0] in "\"'":
            end = "-->" if mark[0] == "<!--" else mark[0]
            closing = -1 if end in unclosed else text.find(end, position, limit)
            if closing < 0:
                unclosed.add(end)
            else:
                position = closing + len(end)
        elif mark[0] == "[":
            depth += 1
        elif mark[0] == "]":
            depth -= 1
        elif depth <= 0:
            return position
    return first


def _feed_expat(text: str, handler: Handler, declared: frozenset[str]) -> None:
    def entity(name: str, is_parameter: bool) -> None:
        known = html.entities.html5.get(f"{name};")
        if known is None and name in declared:
            raise EntityError(f"it uses the entity {name!r}, which it declares itself")
        handler.characters(f"&{name};" if known is None else known)

    def refuse(*declaration: object) -> None:
        raise EntityError(f"it declares the entity {declaration[0]!r}")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.UseForeignDTD(True)  # so that &nbsp; and its kin reach the skipped-entity handler
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.characters
    parser.SkippedEntityHandler = entity
    parser.EntityDeclHandler = refuse
    parser.Parse(text, True)  # at once: before 2.6 expat read a long token anew for each part of it


class _Target:
    """A handler with the names that lxml calls."""

    def __init__(self, handler: Handler) -> None:
        self.start: Callable[[str, Mapping[str, str]], Any] = handler.start
        self.end = handler.end
        self.data = handler.characters

    def close(self) -> None: ...


def _feed_html(text: str, handler: Handler) -> None:
    # Bytes, and their encoding said: a <meta> in the text spoke of another form of it.
    parser = etree.HTMLParser(target=_Target(handler), encoding="utf-8", no_network=True)
    for begin in range(0, len(text), _FEED_CHARACTERS):
        parser.feed(text[begin : begin + _FEED_CHARACTERS].encode("utf-8", "replace"))
    with contextlib.suppress(etree.XMLSyntaxError):  # there was no element at all; any other fault is mended
        parser.close()
