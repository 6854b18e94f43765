"""Which encoding a text file is in: seen in its bytes, never assumed.

Order: byte order mark; UTF-8, strictly, over the whole file; the encoding that the file itself declares (Project
Gutenberg's header does); `charset-normalizer` on the lines that are not ASCII. Whatever is chosen, decoding stays
strict: text is never replaced by question marks in silence.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable
from typing import BinaryIO

import charset_normalizer

from preprocessing.errors import PreprocessingError

_BLOCK_BYTES = 1 << 20
_SAMPLE_BYTES = 64 << 10
_HEAD_BYTES = 16 << 10
# Longest first: UTF-32's little-endian mark begins with UTF-16's. The codecs named here consume the mark.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# charset-normalizer is sure of scripts given enough text, but confuses the one-byte Latin code pages with one another
# and, on little text, with Chinese (German in cp1252 comes out as Big5). So where bytes above ASCII mostly stand alone
# among ASCII letters, as accented letters do, the expected language decides between its code pages.
_WESTERN = ("cp1252", "latin-1")
_CENTRAL = ("cp1250", "iso8859-2")
_BALTIC = ("cp1257", "iso8859-13")
_TURKISH = ("cp1254", "iso8859-9")
_LATIN_CODE_PAGES = {
    **dict.fromkeys(("pl", "cs", "sk", "hu", "sl", "hr", "bs", "ro", "sq"), _CENTRAL),
    **dict.fromkeys(("lt", "lv", "et"), _BALTIC),
    **dict.fromkeys(("tr", "az"), _TURKISH),
}
_TEXT_MARKS = frozenset(("Pi", "Pf", "Pd", "Ps", "Po"))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LONE_HIGH_BYTE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
_DECLARED = re.compile(rb"^character set encoding:\s*([\w.:-]+)", re.IGNORECASE | re.MULTILINE)


def detect_encoding(open_binary: Callable[[], BinaryIO], name: str, language: str = "en") -> str:
    """The Python codec name for the bytes that `open_binary()` yields, in one pass and constant memory.

    `name` is the file's name for messages, `language` decides between one-byte Latin code pages. Raises
    PreprocessingError when the bytes hold NUL (and are not UTF-16 or UTF-32), or when no encoding fits.
    """
    with open_binary() as stream:
        head = stream.read(_HEAD_BYTES)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        wide = _wide_encoding(head)
        if wide:
            return wide
    sample = bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8 = True
    offset = 0
    with open_binary() as stream:
        while block := stream.read(_BLOCK_BYTES):
            zero = block.find(b"\0")
            if zero >= 0:
                raise PreprocessingError(
                    f"{name} holds a NUL byte at offset {offset + zero}, so it is not plain text; "
                    "convert it to UTF-8 text or leave it out."
                )
            if is_utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    is_utf8 = False
            if len(sample) < _SAMPLE_BYTES and not block.isascii():
                sample += b"".join(line for line in block.splitlines(keepends=True) if not line.isascii())
            offset += len(block)
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8 = False
    if is_utf8:
        return "utf-8"
    declared = _declared_encoding(head)
    if declared:
        return declared
    del sample[_SAMPLE_BYTES:]
    if _has_lone_high_bytes(sample):
        page = _latin_code_page(bytes(sample), language)
        if page:
            return page
    best = charset_normalizer.from_bytes(bytes(sample)).best()
    if best is None:
        raise PreprocessingError(
            f"{name} is not valid UTF-8 and its encoding could not be told from its bytes; "
            "convert it to UTF-8 or name its encoding by --books.encoding."
        )
    if _is_latin(str(best)):
        return _latin_code_page(bytes(sample), language) or best.encoding
    return best.encoding


def undecodable(name: str, encoding: str, error: UnicodeDecodeError, offset: int = 0) -> PreprocessingError:
    """The one sentence for bytes that do not decode; `offset` is where the decoded block begins in the file."""
    return PreprocessingError(
        f"{name} is not valid {encoding} near byte {offset + error.start}; "
        "convert it to UTF-8 or name its encoding by --books.encoding."
    )


def known_encoding(encoding: str) -> str:
    """`encoding` as Python names it. Raises PreprocessingError when there is no such codec."""
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise PreprocessingError(
            f"There is no encoding called {encoding!r}; give one such as utf-8, cp1252 or latin-1."
        ) from None


def _wide_encoding(head: bytes) -> str | None:
    """UTF-16 without a mark: nearly every second byte of text in an alphabet is NUL, always on the same side."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.4 * half and even < 0.01 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.01 * half:
        return "utf-16-be"
    return None


def _declared_encoding(head: bytes) -> str | None:
    match = _DECLARED.search(head)
    if not match:
        return None
    name = match[1].decode("ascii", "replace").lower()
    if name in ("utf-8", "utf8", "ascii", "us-ascii"):  # just disproved
        return None
    # What old etexts call ISO-8859-1 is mostly Windows' superset of it, but five bytes there mean nothing.
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _has_lone_high_bytes(sample: bytearray) -> bool:
    high = sum(map(len, _HIGH_RUN.findall(sample)))
    return 2 * len(_LONE_HIGH_BYTE.findall(sample)) > high


def _is_latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha() and not character.isascii()]
    latin = sum(unicodedata.name(character, "").startswith("LATIN") for character in letters)
    return latin > 0.9 * len(letters)


def _latin_code_page(sample: bytes, language: str) -> str | None:
    """The language's code page under which most of the bytes above ASCII are letters or quotation marks."""
    best, best_score = None, -1
    for encoding in _LATIN_CODE_PAGES.get(language.split("-")[0], _WESTERN):
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        score = sum(not c.isascii() and (c.isalpha() or unicodedata.category(c) in _TEXT_MARKS) for c in text)
        if score > best_score:
            best, best_score = encoding, score
    return best
