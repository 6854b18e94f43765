"""EPUB books (EPUB 2 and 3, and the Open eBooks before them): chapters in the order of the package's spine.

A chapter is read as reading systems read it: by XML's rules where it keeps them, else by HTML's, in the encoding that
it declares. What cannot be read is left out, counted by reason under `books.chapters_dropped`, and its place is noted;
what is not meant to be read in line (contents, pages with `linear="no"`) is counted under `books.left_out`. A book
that lost some of its chapters counts under `damaged.books`; one that lost all is malformed, as its reader says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preprocessing.errors import PreprocessingError
from preprocessing.sources.books.archive import Archive, MemberError
from preprocessing.sources.books.package import Item, Package, locked_members, read_package
from preprocessing.sources.html.decoding import LARGEST_PAGE, UndecodableError, decode_page
from preprocessing.sources.html.parsing import MarkupError, parse_xml
from preprocessing.sources.html.running_text import RunningText
from preprocessing.storage import open_file
from preprocessing.tally import DAMAGED, Tally

_TEXT_TYPES = frozenset(
    (
        *("application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/x-dtbook+xml", "text/xml"),
        *("application/xml", "application/html+xml", "application/x-oeb1-document", "text/xhtml"),
    )
)
_TEXT_SUFFIXES = (".xhtml", ".html", ".htm", ".xht", ".xml")
_MEDIA = ("image/", "audio/", "video/", "font/")
_MARKS_OF_PAGES = ("<html", "<body", "<p>", "<p ", "<div", "<h1", "<h2", "<dtbook")
_HEAD_CHARACTERS = 4096
_MOST_FALLBACKS = 5
_DAMAGED_BOOKS = f"{DAMAGED}books"
_LONGEST_PLACE = 200


@dataclass(frozen=True, slots=True)
class EpubBook:
    """A book's title and its blocks: (is heading, [text]) in reading order, read as they are consumed."""

    title: str
    blocks: Iterator[tuple[bool, list[str]]]


def is_epub(path: str, file: str) -> bool:
    """Whether the file is called an EPUB, or is a zip archive, which among books means the same."""
    if file.lower().endswith(".epub"):
        return True
    with open_file(path) as stream:
        return stream.read(4) == b"PK\x03\x04"


def read_epub(path: str | Path, name: str, limit_bytes: int, language: str, tally: Tally) -> EpubBook:
    """Opens the book and reads its package file. `name` is for messages, `limit_bytes` bounds all that is unpacked.

    `language` is the expected one, for chapters that say no encoding. Raises PreprocessingError when the file is no
    EPUB, when all of it is locked by DRM, or when it grows beyond the limit.
    """
    archive = Archive(path, name, limit_bytes)
    package = read_package(archive)
    locked = locked_members(archive)
    members = {item: _member(archive, package, item) for item in _readable_items(package)}
    found = [member for member in members.values() if isinstance(member, str)]
    if found and locked.issuperset(found):
        raise PreprocessingError(
            f"{name} is locked by DRM ({found[0]} is encrypted); only open EPUB files can be read."
        )
    return EpubBook(package.title, _Chapters(archive, package, locked, language, tally).blocks())


def _readable_items(package: Package) -> Iterator[Item]:
    """What the spine names and is text by its type, each item once however often it is named."""
    for reference in dict.fromkeys(reference for reference, _ in package.spine):
        item = package.items.get(reference)
        if item is not None and item.media_type in _TEXT_TYPES:
            yield item


def _member(archive: Archive, package: Package, item: Item) -> str | MemberError:
    try:
        member = archive.find(package.member, item.href)
    except MemberError as error:
        return error
    return member if member is not None else MemberError("missing", f"it is not in the archive ({item.href!r})")


class _Chapters:
    """Reads the spine of one book."""

    def __init__(self, archive: Archive, package: Package, locked: frozenset[str], language: str, tally: Tally) -> None:
        self._archive, self._package, self._locked = archive, package, locked
        self._language, self._tally = language, tally
        self._has_text = self._is_damaged = False
        self._members: dict[Item, str | MemberError] = {}
        self._contents = {self._found(reference) for reference in package.contents} - {None}

    def blocks(self) -> Iterator[tuple[bool, list[str]]]:
        """(is heading, [text]) of every chapter that can be read, in order."""
        read: set[str] = set()
        with self._archive.zip:
            for reference, linear in self._package.spine:
                item = self._readable(reference)
                if item is None:
                    continue
                if item not in self._members:  # a spine may name an item any number of times
                    self._members[item] = _member(self._archive, self._package, item)
                member = self._members[item]
                if isinstance(member, MemberError):
                    self._drop(item.href, member.kind, str(member))
                elif "nav" in item.properties or member in self._contents:
                    self._tally.count("books.left_out.contents")
                elif not linear:
                    self._tally.count("books.left_out.nonlinear")
                elif member in read:
                    self._tally.count("books.left_out.repeated")
                else:
                    read.add(member)
                    for heading, text in self._chapter(member, item):
                        self._has_text = True
                        yield heading, [text]
        # A book weighs once, however many of its chapters are lost; one that lost all of them is rejected instead.
        if self._is_damaged and self._has_text:
            self._tally.count(_DAMAGED_BOOKS)

    def _found(self, reference: str) -> str | None:
        try:
            return self._archive.find(self._package.member, reference)
        except MemberError:
            return None

    def _readable(self, reference: str) -> Item | None:
        """The item of a reference, or what the package says may stand for it; None, counted, where there is none."""
        item = self._package.items.get(reference)
        if item is None:
            self._drop(reference, "not_in_manifest", "the spine names it, but the manifest does not")
            return None
        first = item
        for _ in range(_MOST_FALLBACKS):
            if item.media_type in _TEXT_TYPES or item.fallback not in self._package.items:
                break
            item = self._package.items[item.fallback]
        if item.media_type in _TEXT_TYPES:
            return item
        if first.media_type.startswith(_MEDIA) and not first.href.lower().endswith(_TEXT_SUFFIXES):
            self._tally.count("books.left_out.media")
            return None
        return first  # its type is missing or wrong: what it is, is seen in it

    def _chapter(self, member: str, item: Item) -> list[tuple[bool, str]]:
        try:
            if member in self._locked:
                raise MemberError("encrypted", "it is locked by DRM")
            seen = Tally()
            content = self._archive.read(member, LARGEST_PAGE)
            if not content.strip():
                self._tally.count("books.left_out.empty")
                return []
            text, encoding = decode_page(content, "it", self._language, tally=seen)
            if item.media_type not in _TEXT_TYPES and not _looks_like_a_page(text):
                raise MemberError("not_text", f"it is of the type {item.media_type!r}, and holds no page")
            page, is_xml = parse_xml(text, RunningText)
        except MemberError as error:
            self._drop(member, error.kind, str(error))
            return []
        except MarkupError as error:
            self._drop(member, "markup", str(error))
            return []
        except UndecodableError as error:
            self._drop(member, "encoding", str(error))
            return []
        if not is_xml:
            self._tally.count("books.tag_soup_chapters")
        if not encoding.startswith("utf-8"):
            self._tally.count(f"encodings.chapters.{encoding}")
        for note in seen.notes:
            self._tally.note(self._place(member), note.reason, "encodings.guessed")
        page.finish()
        if page.is_of_links:
            self._tally.count("books.left_out.contents")
            return []
        for kind, characters in page.left_out.items():
            self._tally.count(f"books.left_out_characters.{kind}", characters)
        return page.blocks

    def _drop(self, member: str, kind: str, reason: str) -> None:
        counter = f"books.chapters_dropped.{kind}"
        self._tally.lose_part(self._place(member), reason, counter, kind=_DAMAGED_BOOKS)
        self._is_damaged = True
        self._tally.count("books.malformed_chapters")
        self._tally.count("books.malformed_chapters_bytes", self._archive.size(member))

    def _place(self, member: str) -> str:
        shown = member if len(member) <= _LONGEST_PLACE else f"{member[:_LONGEST_PLACE]}…"
        return f"{self._archive.name}#{shown}"


def _looks_like_a_page(text: str) -> bool:
    head = text[:_HEAD_CHARACTERS].lower()
    return any(mark in head for mark in _MARKS_OF_PAGES)
