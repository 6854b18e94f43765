"""EPUB books (EPUB 2 and 3: a zip of XHTML files in the order of the package's spine).

Nothing is unpacked to disk; names that leave the archive are refused; sizes are limited while reading, whatever the
archive's directory claims; XML is parsed by expat with entity declarations refused.
"""

import html.entities
import posixpath
import xml.parsers.expat as expat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from preprocessing.errors import PreprocessingError
from preprocessing.storage import open_file
from preprocessing.tally import Tally

_LONGEST_DIRECTORY = 20_000
_READ_BYTES = 1 << 16
_LARGEST_PACKAGE = 4 << 20
_BLOCK_TAGS = frozenset(
    (
        "p",
        "div",
        "li",
        "dt",
        "dd",
        "blockquote",
        "pre",
        "td",
        "th",
        "tr",
        "table",
        "ul",
        "ol",
        "dl",
        "section",
        "article",
    )
    + ("aside", "header", "footer", "figure", "figcaption", "caption", "body", "hr", "h1", "h2", "h3", "h4", "h5", "h6")
)
_HEADING_TAGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_SKIPPED_TAGS = frozenset(("head", "script", "style", "nav", "svg", "math", "rt", "rp", "audio", "video"))
_CONTAINER = "META-INF/container.xml"
_XHTML = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


@dataclass(frozen=True, slots=True)
class EpubBook:
    """A book's title and its blocks: (is heading, [text]) in reading order, read as they are consumed."""

    title: str
    blocks: Iterator[tuple[bool, list[str]]]


def is_epub(path: str) -> bool:
    """Whether the file is a zip archive, which among books means EPUB."""
    with open_file(path) as stream:
        return stream.read(4) == b"PK\x03\x04"


def read_epub(path: str | Path, name: str, limit_bytes: int, tally: Tally) -> EpubBook:
    """Opens the book and reads its package file. `name` is for messages, `limit_bytes` bounds all that is unpacked.

    A chapter that is not well-formed is left out and counted under `books.malformed_chapters`. Raises
    PreprocessingError when the file is no EPUB, is locked by DRM, or grows beyond the limit.
    """
    try:
        archive = _Archive(zipfile.ZipFile(path), name, limit_bytes)
        package_path = _package_path(archive)
        package = archive.parse(package_path)
    except (zipfile.BadZipFile, zlib.error, KeyError, ParseError, DefusedXmlException) as error:
        raise _not_epub(name, str(error)) from error
    title = next((e.text or "" for e in package.iter() if _local(e) == "title"), "")
    return EpubBook(" ".join(title.split()), _blocks(archive, package_path, package, tally))


def _blocks(archive: "_Archive", package_path: str, package: Element, tally: Tally) -> Iterator[tuple[bool, list[str]]]:
    locked = archive.locked_names()
    items = {e.get("id"): e for e in package.iter() if _local(e) == "item"}
    with archive.zip:
        for reference in (e for e in package.iter() if _local(e) == "itemref"):
            item = items.get(reference.get("idref"))
            if item is None or reference.get("linear") == "no" or item.get("media-type") not in _XHTML:
                continue
            if "nav" in (item.get("properties") or "").split():
                continue
            target = archive.resolve(package_path, item.get("href") or "")
            if target in locked:
                raise PreprocessingError(
                    f"{archive.name} is locked by DRM ({target} is encrypted); only open EPUB files can be read."
                )
            try:
                text = archive.read(target)
                blocks = _ChapterText().parse(text)
            except (KeyError, expat.ExpatError, zipfile.BadZipFile, zlib.error) as error:
                tally.count("books.malformed_chapters")
                tally.count("books.malformed_chapters_bytes", archive.size(target))
                del error
                continue
            yield from ((heading, [text]) for heading, text in blocks)


class _Archive:
    """Reads members with a limit on the sum of what was unpacked."""

    def __init__(self, archive: zipfile.ZipFile, name: str, limit_bytes: int) -> None:
        self.zip, self.name = archive, name
        self._limit = self._left = limit_bytes
        if len(archive.infolist()) > _LONGEST_DIRECTORY:
            raise _not_epub(name, f"it holds {len(archive.infolist())} files")

    def read(self, member: str) -> bytes:
        parts = []
        try:
            stream = self.zip.open(member)
        except (RuntimeError, NotImplementedError) as error:  # a password, or a method that zipfile does not know
            raise _not_epub(self.name, str(error)) from error
        with stream:
            while part := stream.read(min(_READ_BYTES, self._left + 1)):
                self._left -= len(part)
                if self._left < 0:
                    raise PreprocessingError(
                        f"{self.name} unpacks to more than {self._limit / (1 << 20):.0f} MiB; it may be a zip bomb: "
                        "leave it out, or raise --books.unpacked-limit-bytes."
                    )
                parts.append(part)
        return b"".join(parts)

    def parse(self, member: str) -> Element:
        """The tree of a file about the book: it takes some 25 times the file's size in memory."""
        size = self.size(member)
        if size > _LARGEST_PACKAGE:
            raise _not_epub(self.name, f"its {member} unpacks to {size / (1 << 20):.0f} MiB")
        return defusedxml.ElementTree.fromstring(self.read(member))

    def size(self, member: str) -> int:
        return self.zip.getinfo(member).file_size if member in self.zip.NameToInfo else 0

    def resolve(self, base: str, reference: str) -> str:
        """The member that `reference` in the member `base` names; PreprocessingError when it leaves the archive."""
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), unquote(reference.split("#")[0])))
        if joined.startswith(("/", "../")) or joined == "..":
            raise _not_epub(self.name, f"{reference!r} points outside the archive")
        return joined

    def locked_names(self) -> frozenset[str]:
        """Members encrypted by DRM; scrambled fonts are listed there too, and do no harm."""
        try:
            root = self.parse("META-INF/encryption.xml")
        except KeyError:
            return frozenset()
        except (ParseError, DefusedXmlException) as error:
            raise _not_epub(self.name, f"META-INF/encryption.xml: {error}") from error
        return frozenset(unquote(e.get("URI") or "") for e in root.iter() if _local(e) == "CipherReference")


class _ChapterText:
    """XHTML → blocks of text, in one pass of expat."""

    def __init__(self) -> None:
        self.blocks: list[tuple[bool, str]] = []
        self._text: list[str] = []
        self._skip_depth = self._heading_depth = 0

    def parse(self, content: bytes) -> list[tuple[bool, str]]:
        """(is heading, text) in order. Raises ExpatError where the XML is not well-formed or declares entities."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.UseForeignDTD(True)  # so that &nbsp; and its kin reach the skipped-entity handler
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.SkippedEntityHandler = self._entity
        parser.EntityDeclHandler = _refuse_entity
        parser.Parse(content, True)
        self._flush()
        return self.blocks

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2].lower()
        if self._skip_depth or tag in _SKIPPED_TAGS or "pg-boilerplate" in attributes.get("class", ""):
            self._skip_depth += 1
        elif tag in _BLOCK_TAGS:
            self._flush()
            self._heading_depth += tag in _HEADING_TAGS
        elif tag == "br":
            self._text.append(" ")

    def _end(self, name: str) -> None:
        tag = name.rpartition(":")[2].lower()
        if self._skip_depth:
            self._skip_depth -= 1
        elif tag in _BLOCK_TAGS:
            self._flush()
            self._heading_depth -= tag in _HEADING_TAGS

    def _characters(self, text: str) -> None:
        if not self._skip_depth:
            self._text.append(text)

    def _entity(self, name: str, is_parameter: bool) -> None:
        if not self._skip_depth and not is_parameter:
            self._text.append(html.entities.html5.get(f"{name};", ""))

    def _flush(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if text:
            self.blocks.append((self._heading_depth > 0, text))


def _refuse_entity(*declaration: object) -> None:
    raise expat.ExpatError(f"declares the entity {declaration[0]!r}, which is refused")


def _package_path(archive: _Archive) -> str:
    root = archive.parse(_CONTAINER)
    path = next((e.get("full-path") for e in root.iter() if _local(e) == "rootfile"), None)
    if not path:
        raise _not_epub(archive.name, f"{_CONTAINER} names no package file")
    return archive.resolve("", path)


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _not_epub(name: str, reason: str) -> PreprocessingError:
    return PreprocessingError(f"{name} is not a readable EPUB book ({reason}); repair it or leave it out.")
