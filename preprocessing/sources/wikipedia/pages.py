"""The pages of a MediaWiki XML dump, found by scanning for `<page>` and `</page>`.

A dump escapes every `<` inside its texts, so these tags cannot occur in content. No XML parser means no entity
expansion: the five predefined entities and character numbers are the only ones that exist here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from preprocessing.sources.stored_stream import PlainStream, TruncatedInputError
from preprocessing.sources.wikipedia.xml_text import MalformedTextError, decode_text

_OPEN, _CLOSE, _END = b"<page>", b"</page>", b"</mediawiki>"
_OVERLAP = len(_END)
_KEPT_BYTES = 4096


class MalformedPageError(Exception):
    """A page that cannot be read; the rest of the dump can."""

    def __init__(self, locator: str, reason: str) -> None:
        super().__init__(reason)
        self.locator = locator
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `text` is the wikitext of its last revision. `namespace` is None in dumps without `<ns>`."""

    locator: str
    title: str
    namespace: int | None
    is_redirect: bool
    model: str
    raw_text: bytes

    def text(self) -> str:
        """The wikitext. Raises MalformedPageError: not UTF-8, an undefined entity, a NUL byte, a stray `<`."""
        try:
            return decode_text(self.raw_text)
        except MalformedTextError as error:
            raise MalformedPageError(self.locator, str(error)) from error


def read_pages(stream: PlainStream, page_limit_bytes: int) -> Iterator[Page | MalformedPageError]:
    """Every page that begins inside the stream's range, in order.

    Raises TruncatedInputError, after the last complete page, when the file ends before `</mediawiki>`.
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
    """The bytes between `<page>` and `</page>`; at most one page and one piece are held."""
    window = _Window(stream)
    while window.find_page():
        is_oversized = False
        while (close := window.find_close()) < 0:
            if window.held > limit:
                is_oversized = True
                window.drop_middle()
            if not window.read():
                yield MalformedPageError(_page_id(window.content()), "the file ends inside it")
                window.stop()
        blob = window.take(close)
        nested = blob.rfind(_OPEN)
        if nested >= 0:  # the page before has lost its end
            yield MalformedPageError(_page_id(blob[:nested]), "it has no </page>")
            blob = blob[nested + len(_OPEN) :]
        if is_oversized or len(blob) > limit:
            yield MalformedPageError(_page_id(blob), f"its XML is larger than {limit:,} bytes")
        else:
            yield blob


class _Window:
    """The part of the stream in memory: `buffer[start:]` is unread, `buffer[:in_range]` belongs to the range."""

    def __init__(self, stream: PlainStream) -> None:
        self.stream = stream
        self.buffer = b""
        self.start = self.searched = self.in_range = 0
        self.bytes_read = 0
        self.failure: TruncatedInputError | None = None

    @property
    def held(self) -> int:
        return len(self.buffer) - self.start

    def read(self) -> bool:
        """Forget what lies before `start` and append a piece; False at the end of the file."""
        used = self.start
        try:
            piece = self.stream.read()
        except TruncatedInputError as failure:
            self.failure = failure
            return False
        self.bytes_read += len(piece)
        self.buffer = self.buffer[used:] + piece
        self.start = 0
        self.searched = max(0, self.searched - used)
        self.in_range = max(0, self.in_range - used) if self.stream.beyond else len(self.buffer)
        return bool(piece)

    def find_page(self) -> bool:
        """Move behind the next `<page>`; False when no further page begins in the range.

        Raises TruncatedInputError when the file ends before `</mediawiki>`.
        """
        is_complete = False
        while True:
            found = self.buffer.find(_OPEN, self.start)
            if 0 <= found < self.in_range:
                self.start = self.searched = found + len(_OPEN)
                return True
            if self.stream.beyond and len(self.buffer) >= self.in_range + len(_OPEN) - 1:
                return False
            is_complete = is_complete or self.buffer.find(_END, self.start) >= 0
            self.start = max(self.start, len(self.buffer) - _OVERLAP)
            if not self.read():
                if self.failure is None and (is_complete or self._is_behind_the_end()):
                    return False
                self.stop()

    def _is_behind_the_end(self) -> bool:
        # A range that begins inside or behind </mediawiki> sees only the rest of it.
        return self.stream.start > 0 and self.bytes_read <= len(_END) + 1 and _END.endswith(self.buffer.strip())

    def find_close(self) -> int:
        """Where the `</page>` of the open page begins, or -1; what was searched once is not searched again."""
        close = self.buffer.find(_CLOSE, self.searched)
        if close < 0:
            self.searched = max(self.start, len(self.buffer) - len(_CLOSE) + 1)
        return close

    def take(self, close: int) -> bytes:
        blob = self.content(close)
        self.start = close + len(_CLOSE)
        return blob

    def content(self, end: int | None = None) -> bytes:
        return self.buffer[self.start : end]

    def drop_middle(self) -> None:
        """Of a page that is too large keep the beginning, where its number stands, and the last bytes read."""
        kept = self.buffer[self.start : self.start + _KEPT_BYTES] + b" " * len(_CLOSE)
        dropped = self.searched - len(kept)
        self.buffer = kept + self.buffer[self.searched :]
        self.start, self.searched = 0, len(kept)
        self.in_range = max(0, self.in_range - dropped)

    def stop(self) -> NoReturn:
        """Raise what the end of the file means."""
        raise self.failure or TruncatedInputError(
            f"{self.stream.name} ends at byte {self.stream.offset:,} without </mediawiki>: it is not complete; "
            "fetch it again, or keep its complete pages with --accept-truncated."
        )


def parse_page(blob: bytes) -> Page:
    """The fields of a page. Raises MalformedPageError naming its id."""
    locator = _page_id(blob)
    revision = blob.find(b"<revision>")
    head = blob[: revision if revision >= 0 else min(len(blob), 4096)]
    if not locator:
        raise MalformedPageError("?", "it has no <id>")
    title = _field(head, b"title")
    if title is None:
        raise MalformedPageError(locator, "it has no <title>")
    namespace = _field(head, b"ns")
    text = _last_text(blob, locator)
    try:
        return Page(
            locator=locator,
            title=decode_text(title),
            namespace=None if namespace is None else int(namespace),
            is_redirect=b"<redirect" in head,
            model=(_field(blob, b"model") or b"wikitext").decode("ascii", "replace"),
            raw_text=text,
        )
    except (MalformedTextError, ValueError) as error:
        raise MalformedPageError(locator, f"its title or namespace is broken: {error}") from error


def _last_text(blob: bytes, locator: str) -> bytes:
    tag = blob.rfind(b"<text")
    end = blob.find(b">", tag)
    if tag < 0 or end < 0:
        raise MalformedPageError(locator, "it has no <text>")
    if blob[end - 1 : end] == b"/":
        return b""
    close = blob.find(b"</text>", end)
    if close < 0:
        raise MalformedPageError(locator, "its <text> has no end")
    return blob[end + 1 : close]


def _page_id(blob: bytes) -> str:
    number = _field(blob, b"id")
    return number.decode("ascii") if number is not None and number.isdigit() else ""


def _field(blob: bytes, name: bytes) -> bytes | None:
    start = blob.find(b"<%s>" % name)
    if start < 0:
        return None
    end = blob.find(b"</%s>" % name, start)
    return blob[start + len(name) + 2 : end] if end >= 0 else None
