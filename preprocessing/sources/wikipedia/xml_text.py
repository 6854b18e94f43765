"""Text content of an XML element of a dump: UTF-8, five entities, character numbers, nothing else."""

import re

import numpy as np

from preprocessing.compiled import compiled

_PREDEFINED = ("&lt;", "&gt;", "&quot;", "&apos;", "&amp;")
_NUMBER = re.compile(r"&#(?:0*([0-9]{1,7})|x0*([0-9A-Fa-f]{1,6}));")
_REFERENCE = re.compile(r"&(?!(?:lt|gt|quot|apos|amp|#0*[0-9]{1,7}|#x0*[0-9A-Fa-f]{1,6});)([^\s;&<]{0,20};?)")
_COMMENT, _CDATA = b"<!--", b"<![CDATA["
_CLOSED_BY = {_COMMENT: b"-->", _CDATA: b"]]>"}


class MalformedTextError(ValueError):
    """Why the bytes are no XML text."""


def without_comments(raw: bytes) -> bytes:
    """Markup without its comments, and with what its CDATA sections hold written as other text is.

    What is never closed stays as it is.
    """
    parts, done, position = [], 0, 0
    # What is not closed behind one place is not behind a later one: searched anew from each it would cost a square.
    closed_by = dict(_CLOSED_BY)
    while closed_by and (position := raw.find(b"<!", position)) >= 0:
        mark = next((mark for mark in closed_by if raw.startswith(mark, position)), b"")
        if not mark:
            position += 2
            continue
        begin = position + len(mark)
        end = raw.find(closed_by[mark], begin)
        if end < 0:
            del closed_by[mark]
            continue
        parts.append(raw[done:position])
        if mark == _CDATA:
            parts.append(raw[begin:end].replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;"))
        done = position = end + len(_CLOSED_BY[mark])
    return b"".join([*parts, raw[done:]]) if parts else raw


def decode_text(raw: bytes) -> str:
    """The characters of an element's content. Raises MalformedTextError."""
    plain = np.empty(len(raw), np.uint8)
    size = _expand_predefined(np.frombuffer(raw, np.uint8), plain)
    if size >= 0:
        try:
            return str(plain[:size].data, "utf-8")
        except UnicodeDecodeError:  # where in the source is said below
            pass
    return _decode_any(raw)


@compiled
def _expand_predefined(raw: np.ndarray, plain: np.ndarray) -> int:
    """Copies the bytes with the five entities expanded, as nearly every page needs; how many bytes that makes.

    -1 where there is a byte or a reference that asks for more: none of them changes what the others mean.
    """
    size, end, at = 0, len(raw), 0
    while at < end:
        byte = raw[at]
        at += 1
        if byte == 38:  # &
            left = end - at
            if left >= 3 and raw[at + 1] == 116 and raw[at + 2] == 59 and (raw[at] == 108 or raw[at] == 103):
                byte = np.uint8(60 if raw[at] == 108 else 62)  # lt; gt;
                at += 3
            elif left >= 4 and raw[at] == 97 and raw[at + 1] == 109 and raw[at + 2] == 112 and raw[at + 3] == 59:
                at += 4  # amp;
            elif left >= 5 and raw[at + 4] == 59 and raw[at + 2] == 111:
                if raw[at] == 113 and raw[at + 1] == 117 and raw[at + 3] == 116:
                    byte = np.uint8(34)  # quot;
                elif raw[at] == 97 and raw[at + 1] == 112 and raw[at + 3] == 115:
                    byte = np.uint8(39)  # apos;
                else:
                    return -1
                at += 5
            else:
                return -1
        elif byte == 60 or byte == 0 or byte == 13:  # <, NUL, carriage return
            return -1
        plain[size] = byte
        size += 1
    return size


def _decode_any(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedTextError(f"invalid UTF-8 at byte {error.start:,} of its text") from error
    if "<" in text:
        raise MalformedTextError(f'an unescaped "<" at character {text.index("<"):,} of its text')
    if "\0" in text:
        raise MalformedTextError(f"a NUL byte at character {text.index(chr(0)):,} of its text")
    if "\r" in text:  # before the references: one that is written as a number stays (XML 1.0, section 2.11)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _expand(text) if "&" in text else text


def _expand(text: str) -> str:
    # Counting is several times faster than one regular expression, and settles nearly every page.
    if text.count("&") != sum(map(text.count, _PREDEFINED)):
        undefined = _REFERENCE.search(text)
        if undefined is not None:
            raise MalformedTextError(
                f"an undefined entity &{undefined.group(1)} at character {undefined.start():,} of its text"
            )
        text = _NUMBER.sub(_numbered, text)
    # The ampersand last: "&amp;lt;" is the text "&lt;".
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&apos;", "'")
    return text.replace("&amp;", "&")


def _numbered(match: re.Match[str]) -> str:
    decimal, hexadecimal = match.groups()
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code == 38:
        return "&amp;"  # replaced with the others, last
    if not (code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000):
        raise MalformedTextError(f"the forbidden character number {match.group()}")
    return chr(code)
