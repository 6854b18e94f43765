"""The head of a dump: is it one, which language is it in, and what are its namespaces called."""

import re
from dataclasses import dataclass

from preprocessing.errors import PreprocessingError
from preprocessing.sources.foreign_formats import foreign_format
from preprocessing.sources.stored_stream import PlainStream, TruncatedInputError
from preprocessing.sources.wikipedia.page_window import find_open
from preprocessing.wikitext import LANGUAGE_CODES

_HEAD_LIMIT = 1 << 20
_LANGUAGE = re.compile(rb"""<mediawiki\b[^<>]*?\sxml:lang=["']([A-Za-z][A-Za-z0-9-]{0,31})["']""")
_DATABASE = re.compile(rb"<dbname>([a-z][a-z_]{0,31}?)wiki</dbname>")
_BASE = re.compile(rb"<base>https?://([a-z][a-z-]{0,31})\.(?:m\.)?wikipedia\.org/")
_PREFIXED = re.compile(rb"<([A-Za-z][A-Za-z0-9_.-]{0,31}:)mediawiki[\s>]")
_NAMESPACE = re.compile(rb"""<namespace\s[^<>]*?key=["'](-?[0-9]{1,9})["'][^<>]*?>([^<]*)</namespace>""")


@dataclass(frozen=True, slots=True)
class Head:
    """`namespaces` of `<siteinfo>` by number; `language` as the dump declares it, "" where it does not."""

    namespaces: dict[int, str]
    language: str


def read_head(stream: PlainStream) -> Head:
    """The head of the file; checks that it is a dump at all."""
    head = b""
    while len(head) < _HEAD_LIMIT and b"</siteinfo>" not in head and find_open(head, 0) < 0:
        try:
            piece = stream.read()
        except TruncatedInputError:
            if not head:
                raise
            break
        if not piece:
            break
        head += piece
    _check_head(stream.name, head)
    information = head[: head.find(b"</siteinfo>") + 1]
    namespaces = {
        int(key): name.decode("utf-8", "replace").replace("&amp;", "&") for key, name in _NAMESPACE.findall(information)
    }
    return Head(namespaces, _declared_language(_before_pages(head)))


def _before_pages(head: bytes) -> bytes:
    found = find_open(head, 0)
    return head[:found] if found >= 0 else head


def _declared_language(head: bytes) -> str:
    for pattern in (_LANGUAGE, _DATABASE, _BASE):
        if (match := pattern.search(head)) is not None:
            code = match.group(1).decode("ascii").lower().replace("_", "-")
            if code in LANGUAGE_CODES or pattern is _LANGUAGE:
                return code
    return ""


def _check_head(name: str, head: bytes) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise PreprocessingError(f"{name} is empty; fetch it again or leave it out.")
    if (other := foreign_format(start)) and not start.startswith((b"<?xml", b"<mediawiki")):
        raise PreprocessingError(f"{name} is not a MediaWiki XML dump but {other}.")
    prologue = _before_pages(start)
    for declaration in (b"<!DOCTYPE", b"<!ENTITY"):
        if declaration in prologue:
            raise PreprocessingError(
                f"{name} declares {declaration.decode()[2:]}, which no MediaWiki dump does; it was refused, because "
                "such declarations can expand without bound."
            )
    if start.startswith(b"<?xml"):
        start = start[start.find(b"?>") + 2 :].lstrip()
    while start.startswith(b"<!--") and b"-->" in start:
        start = start[start.find(b"-->") + 3 :].lstrip()
    if prefixed := _PREFIXED.match(start):
        raise PreprocessingError(
            f"{name} has the prefix {prefixed[1].decode()!r} before the names of its tags, as some programs rewrite a "
            "dump; give the dump as MediaWiki wrote it."
        )
    if not start.startswith(b"<mediawiki"):
        begins = start[:40].decode("utf-8", "backslashreplace").split("\n")[0]
        raise PreprocessingError(
            f"{name} is not a MediaWiki XML dump: it begins with {begins!r}, not with <mediawiki; give a "
            "pages-articles file."
        )
