"""The pages of a MediaWiki XML dump, found by scanning for `<page>` and `</page>`.

A dump escapes every `<` inside its texts, so these tags cannot occur in content; in comments they are taken as tags,
so that nothing depends on what stands before. No XML parser means no entity expansion: the five predefined entities
and character numbers are the only ones that exist here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from preprocessing.sources.stored_stream import PlainStream
from preprocessing.sources.wikipedia.page_window import CLOSE, Window
from preprocessing.sources.wikipedia.xml_text import MalformedTextError, decode_text, without_comments

_KEPT_BYTES = 4096
_ID_DIGITS = 20
# Values of attributes may hold a ">".
_TEXT = re.compile(rb"""<text((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(/?)>""")
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DELETED = re.compile(rb"""\sdeleted\s*=\s*["']deleted["']""")
_BYTES = re.compile(rb"""\sbytes\s*=\s*["']0*([1-9][0-9]{0,17})["']""")


class MalformedPageError(Exception):
    """A page that cannot be read; the rest of the dump can."""

    def __init__(self, locator: str, reason: str) -> None:
        super().__init__(reason)
        self.locator = locator
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `text` is the wikitext of the newest of its revisions. `namespace` is None in dumps without `<ns>`."""

    locator: str
    title: str
    namespace: int | None
    is_redirect: bool
    is_deleted: bool
    """Its text was hidden by an administrator, so the dump does not hold it."""
    model: str
    raw_text: bytes
    earlier_revisions: int
    """As a dump of whole histories has them."""

    def text(self) -> str:
        """The wikitext. Raises MalformedPageError: not UTF-8, an undefined entity, a NUL byte, a stray `<`."""
        try:
            return decode_text(self.raw_text)
        except MalformedTextError as error:
            raise MalformedPageError(self.locator, str(error)) from error


def read_pages(stream: PlainStream, page_limit_bytes: int) -> Iterator[Page | MalformedPageError]:
    """Every page that begins inside the stream's range, in order.

    Raises TruncatedInputError, after the last complete page, when the file ends before `</mediawiki>`. What is wrong
    behind the range, where others read, is left to them: of a page that reaches into it only that page is lost.
    """
    for blob in _blobs(stream, page_limit_bytes):
        if isinstance(blob, MalformedPageError):
            yield blob
            continue
        try:
            yield parse_page(blob)
        except MalformedPageError as error:
            yield error


def _blobs(stream: PlainStream, limit: int) -> Iterator[bytes | MalformedPageError]:
    """The bytes between `<page>` and `</page>`; at most one page and one piece are held.

    A page ends at its `</page>`, or where the next one begins, so what becomes of it depends on nothing before it: cut
    a dump anywhere, and its ranges hold the same pages. A range answers for what follows its last page, up to the
    next one.
    """
    window = Window(stream)
    while True:
        for _ in range(window.find_page()):
            yield MalformedPageError("", "a </page> without its <page>")
        if window.fault is not None:
            raise window.fault
        if window.is_done:
            return
        is_oversized = False
        while not window.find_end():
            if window.held > limit:
                is_oversized = True
                window.drop_middle()
            if not window.read():
                break
        blob = window.take()
        if window.end_tag != CLOSE:
            yield MalformedPageError(_page_id(blob), window.why_open())
        elif is_oversized or len(blob) > limit:
            yield MalformedPageError(_page_id(blob), f"its XML is larger than {limit:,} bytes")
        else:
            yield blob


def parse_page(blob: bytes) -> Page:
    """The fields of a page. Raises MalformedPageError naming its id."""
    frame, text = _frame_and_text(blob)
    if text is None and b"<!" in blob:
        frame = blob = without_comments(blob)
    head, *rest = frame.split(b"<revision>")
    parts = [part.partition(b"</revision>") for part in rest]
    revisions = [revision for revision, _, _ in parts]
    # MediaWiki writes the page's own fields before its revisions; other programs may not.
    head = head + b"".join(after for _, _, after in parts) if parts else head[:_KEPT_BYTES]
    locator = _page_id(head)
    if not locator:
        raise MalformedPageError("?", "it has no <id>")
    title = _field(head, b"title")
    if title is None:
        raise MalformedPageError(locator, "it has no <title>")
    namespace = _field(head, b"ns")
    slot = _main_slot(_newest(revisions) if revisions else frame)
    is_deleted = False
    if text is None:
        text, is_deleted = _text(slot, locator)
    try:
        return Page(
            locator=locator,
            title=decode_text(title),
            namespace=None if namespace is None else _namespace(namespace),
            is_redirect=b"<redirect" in head,
            is_deleted=is_deleted,
            model=(_field(slot, b"model") or b"").strip().decode("ascii", "replace") or "wikitext",
            raw_text=text,
            earlier_revisions=max(0, len(revisions) - 1),
        )
    except (MalformedTextError, ValueError) as error:
        raise MalformedPageError(locator, f"its title or namespace is broken: {error}") from error


def _frame_and_text(blob: bytes) -> tuple[bytes, bytes | None]:
    """The page around its text, and the text; the whole page and None where it takes more to say which is its text.

    Nearly every page has one text, and to look through that for tags takes longer than all the rest.
    """
    tag = _TEXT.search(blob, max(0, blob.find(b"<revision>")))
    if tag is None or tag[2]:
        return blob, None
    end = blob.find(b"<", tag.end())
    if end == tag.end():
        return blob, None
    frame = blob[: tag.end()] + blob[end:]
    is_simple = (
        blob.startswith(b"</text>", end)
        and frame.count(b"<revision>") == frame.count(b"<text") == 1
        and b"<content>" not in frame
        and b"<!" not in frame
    )
    return (frame, blob[tag.end() : end]) if is_simple else (blob, None)


def _newest(revisions: list[bytes]) -> bytes:
    """The last one, or where an export was ordered from new to old the one of the latest time."""
    if len(revisions) == 1:
        return revisions[0]
    times = [_field(revision, b"timestamp") or b"" for revision in revisions]
    latest = max(times) if all(_TIME.fullmatch(time) for time in times) else times[-1]
    return next(revision for revision, time in zip(reversed(revisions), reversed(times), strict=True) if time == latest)


def _main_slot(revision: bytes) -> bytes:
    """The part of a revision that holds the page itself.

    Since export schema 0.11 a revision may have further slots (structured data of files), each in a `<content>` with
    its `<role>`; the main one stands in the revision itself (MediaWiki: docs/export-0.11.xsd).
    """
    if b"<content>" not in revision:
        return revision
    slots = [part.partition(b"</content>") for part in revision.split(b"<content>")]
    outside = slots[0][0] + b"".join(rest for _, _, rest in slots[1:])
    if _TEXT.search(outside):
        return outside
    return next((slot for slot, _, _ in slots[1:] if (_field(slot, b"role") or b"").strip() == b"main"), outside)


def _text(slot: bytes, locator: str) -> tuple[bytes, bool]:
    """The content of the slot's `<text>`, and whether it was deleted from the wiki."""
    tag = _TEXT.match(slot, max(0, slot.rfind(b"<text")))
    if tag is None:
        raise MalformedPageError(locator, "it has no <text>")
    attributes, is_closed = tag.groups()
    if is_closed or slot.startswith(b"</text>", tag.end()):
        is_deleted = _DELETED.search(attributes) is not None
        size = _BYTES.search(attributes)
        if size and not is_deleted:
            raise MalformedPageError(
                locator, f"its <text> is empty, and had {int(size[1]):,} bytes (a dump of stubs holds no text)"
            )
        return b"", is_deleted
    close = slot.find(b"</text>", tag.end())
    if close < 0:
        raise MalformedPageError(locator, "its <text> has no end")
    return slot[tag.end() : close], False


def _namespace(number: bytes) -> int:
    if not re.fullmatch(rb"\s*-?[0-9]{1,9}\s*", number):
        raise ValueError(f"{number[:40].decode('ascii', 'backslashreplace')!r} is no number of a namespace")
    return int(number)


def _page_id(blob: bytes) -> str:
    number = (_field(blob, b"id") or b"").strip()
    return number.decode("ascii") if number.isdigit() and len(number) <= _ID_DIGITS else ""


def _field(blob: bytes, name: bytes) -> bytes | None:
    start = blob.find(b"<%s>" % name)
    if start < 0:
        return None
    end = blob.find(b"</%s>" % name, start)
    return blob[start + len(name) + 2 : end] if end >= 0 else None
