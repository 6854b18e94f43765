"""What an EPUB says about itself: which members are its chapters, in which order, and which of them are locked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from preprocessing.errors import PreprocessingError
from preprocessing.sources.books.archive import Archive, MemberError, not_epub
from preprocessing.sources.html.decoding import UndecodableError, decode_page
from preprocessing.sources.html.parsing import EntityError, MarkupError, parse_xml

_LARGEST_PACKAGE = 4 << 20
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PACKAGE_TYPE = "application/oebps-package+xml"
_TITLE_PIECES = 100
# What no reading system would take for a page, where no spine says what the pages are.
_BESIDE = re.compile(
    r"(?:image|audio|video|font)/|text/(?:css|javascript)|application/(?!x?html|xml|x-(?:oeb1|dtbook))"
)


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the manifest."""

    href: str
    media_type: str
    properties: frozenset[str]
    fallback: str


@dataclass(slots=True)
class Package:
    """A book's package file: `spine` holds (id of an item, whether it is in the line of reading)."""

    member: str
    title: str = ""
    items: dict[str, Item] = field(default_factory=dict)
    spine: list[tuple[str, bool]] = field(default_factory=list)
    contents: set[str] = field(default_factory=set)
    """References to pages that are a table of contents."""


def read_package(archive: Archive) -> Package:
    """The package file that the container names, or the only one there is.

    Raises PreprocessingError when there is none that can be read.
    """
    member = _package_member(archive)
    handler = _parse(archive, member, lambda: _PackageFile(member))
    package = handler.package
    if not package.spine:
        package.spine = [(name, True) for name, item in package.items.items() if not _BESIDE.match(item.media_type)]
    return package


def locked_members(archive: Archive) -> frozenset[str]:
    """Members encrypted by DRM; scrambled fonts are listed there too, and do no harm.

    A list that cannot be read costs nothing: what is encrypted then is no text, and counted as such.
    """
    member = _find(archive, _ENCRYPTION)
    if member is None:
        return frozenset()
    found = set()
    try:
        references = _parse(archive, member, lambda: _Attributes("cipherreference")).found
    except _UnreadableError:
        return frozenset()
    for reference in references:
        try:
            found.add(archive.find("", reference.get("uri", "")) or "")
        except MemberError:
            continue  # what lies elsewhere is no part of the book
    return frozenset(found)


def _package_member(archive: Archive) -> str:
    container = _find(archive, _CONTAINER)
    roots: list[dict[str, str]] = []
    reason = f"there is no {_CONTAINER}"
    if container is not None:
        try:
            roots = _parse(archive, container, lambda: _Attributes("rootfile")).found
            reason = f"{_CONTAINER} names no package file"
        except _UnreadableError as error:
            reason = str(error)
    # Books of several renditions: the first package is the default one.
    for root in sorted(roots, key=lambda root: root.get("media-type", _PACKAGE_TYPE) != _PACKAGE_TYPE):
        path = root.get("full-path", "")
        try:
            member = archive.find("", path) if path else None
        except MemberError as error:
            raise not_epub(archive.name, str(error)) from error
        if member is not None:
            return member
        reason = f"it holds no {path or 'package file'}"
    found = [name for name in archive.names() if name.lower().endswith(".opf")]
    if not found:
        raise not_epub(archive.name, reason)
    return min(found, key=lambda name: (name.count("/"), name))


def _find(archive: Archive, member: str) -> str | None:
    return archive.find("", member)


class _UnreadableError(PreprocessingError):
    """A file about the book that is damaged, where another may say the same."""


class _File:
    """Takes the events of a file about the book; names without prefixes, in small letters."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.element(_local(name), {_local(key): value for key, value in attributes.items()})

    def element(self, name: str, attributes: dict[str, str]) -> None: ...
    def end(self, name: str) -> None: ...
    def characters(self, text: str) -> None: ...


class _Attributes(_File):
    """The attributes of all elements of one name."""

    def __init__(self, name: str) -> None:
        self.found: list[dict[str, str]] = []
        self._name = name

    def element(self, name: str, attributes: dict[str, str]) -> None:
        if name == self._name:
            self.found.append(attributes)


class _PackageFile(_File):
    def __init__(self, member: str) -> None:
        self.package = Package(member)
        self._in_title = False
        self._title: list[str] = []

    def element(self, name: str, attributes: dict[str, str]) -> None:
        package = self.package
        if name == "item":
            item = Item(
                attributes.get("href", ""),
                attributes.get("media-type", "").split(";")[0].strip().lower(),
                frozenset(attributes.get("properties", "").lower().split()),
                attributes.get("fallback", "").strip(),
            )
            package.items.setdefault(attributes.get("id", item.href).strip(), item)
        elif name == "itemref":
            linear = attributes.get("linear", "").strip().lower() != "no"
            package.spine.append((attributes.get("idref", "").strip(), linear))
        elif name == "reference" and "toc" in attributes.get("type", "").lower().split():
            package.contents.update(href for href in [attributes.get("href", "")] if href and "#" not in href)
        self._in_title = name == "title" and not package.title

    def end(self, name: str) -> None:
        if self._in_title:
            self._in_title = False
            self.package.title = " ".join("".join(self._title).split())

    def characters(self, text: str) -> None:
        if self._in_title and len(self._title) < _TITLE_PIECES:
            self._title.append(text)


AnyFile = TypeVar("AnyFile", bound=_File)


def _parse(archive: Archive, member: str, make: Callable[[], AnyFile]) -> AnyFile:
    """The events of a file about the book. Raises PreprocessingError: _UnreadableError where it is only damaged."""
    size = archive.size(member)
    if size > _LARGEST_PACKAGE:
        raise not_epub(archive.name, f"its {member} unpacks to {size / (1 << 20):.0f} MiB")
    try:
        content = archive.read(member, _LARGEST_PACKAGE)
    except MemberError as error:
        raise _UnreadableError(str(not_epub(archive.name, f"{member}: {error}"))) from error
    try:
        text, _ = decode_page(content, f"its {member}", "en")
        return parse_xml(text, make)[0]
    except EntityError as error:
        raise not_epub(archive.name, f"{member}: {error}") from error
    except (MarkupError, UndecodableError) as error:
        raise _UnreadableError(str(not_epub(archive.name, f"{member}: {error}"))) from error


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()
