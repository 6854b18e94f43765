"""Bytes of a page → characters: a mark, a declaration, UTF-8, and last the statistics, in this order.

The names of encodings mean what they mean to browsers (Encoding Standard, section 4.2): a page that says "gb2312" or
"iso-8859-1" holds GB 18030 or Windows-1252. Decoding is strict: nothing becomes a question mark in silence.
"""

import io
from collections.abc import Iterator

from preprocessing.errors import PreprocessingError
from preprocessing.sources.encodings import (
    declared_in_markup,
    detect_encoding,
    marked_encoding,
    superset,
    wide_encoding,
)
from preprocessing.tally import Tally

LARGEST_PAGE = 64 << 20
"""Bytes of a page or a chapter that is read: it is parsed whole, and its events take several times as much memory."""
_HEAD_BYTES = 64 << 10
_HIGH_BYTES = bytes(range(128, 256))
_TELLING_BYTES = 12


class UndecodableError(PreprocessingError):
    """Bytes that are text in no encoding that was found."""


def decode_page(
    content: bytes,
    name: str,
    language: str,
    given: str | None = None,
    *,
    option: str | None = None,
    tally: Tally | None = None,
) -> tuple[str, str]:
    """(text, encoding) of a page. `given` is what the user named by `option`, which holds where the page says nothing.

    `language` is the one that is expected, for the statistics; counters are those of `detect_encoding`. Raises
    UndecodableError, which names `name`, when no encoding fits.
    """
    for encoding in _candidates(content, language, given):
        try:
            text = content.decode(encoding)
        except (ValueError, LookupError):
            continue
        if tally is not None:
            tally.count(f"encodings.{encoding}")
        return text.removeprefix("\ufeff"), encoding
    try:
        detected = detect_encoding(lambda: io.BytesIO(content), name, language, option=option, tally=tally)
        return content.decode(detected).removeprefix("\ufeff"), detected
    except PreprocessingError as error:
        raise UndecodableError(str(error)) from error
    except (ValueError, LookupError) as error:
        raise UndecodableError(
            f"{name} declares no encoding that fits its bytes, and none could be told from them ({error}); convert it "
            "to UTF-8 or leave it out."
        ) from error


def declared_encoding(content: bytes) -> str | None:
    """What the XML declaration or a `<meta>` says, as a codec of Python; None where it is missing or unknown."""
    declared = declared_in_markup(content[:_HEAD_BYTES])
    return superset(declared) if declared else None


def _candidates(content: bytes, language: str, given: str | None) -> Iterator[str]:
    if marked := marked_encoding(content):
        yield marked
    head = content[:_HEAD_BYTES]
    if b"\0" in head and (wide := wide_encoding(head, language)):
        yield wide
    declared = declared_encoding(content)
    if declared and len(content) - len(content.translate(None, _HIGH_BYTES)) >= _TELLING_BYTES:
        yield "utf-8"  # no other encoding looks like it by chance: the declaration was left over
    yield from (encoding for encoding in (declared, given, "utf-8") if encoding)
    if declared == "cp1252":  # five of its bytes mean nothing to Windows
        yield "latin-1"
