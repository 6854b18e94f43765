"""Encodings that hide in ASCII: ISO-2022 (escape sequences), HZ (`~{ … ~}`) and UTF-7 (`+…-`).

Each of their files is valid ASCII, and so valid UTF-8, with nearly every character wrong.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterable

from preprocessing.languages import plain_language
from preprocessing.sources.encodings.plausibility import read_as

# A character set of two bytes, or one of those that are not ASCII, is called in (ECMA-35, section 14; RFC 1468, 1554,
# 1557, 1922). ESC [ … of terminals is none of these.
_CALLS = re.compile(rb"\x1b\$[@AB]|\x1b\$\([@A-Q]|\x1b\$\)[ACEG]|\x1b\$\*H|\x1b\([IJ]|\x1b\.[AF]")
_KOREAN, _CHINESE = b"\x1b$)C", re.compile(rb"\x1b\$(?:\)[AEG]|\*H)")
_JAPANESE = ("iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_ext")
_HZ_RUN = re.compile(rb"~\{(?:[\x21-\x77][\x21-\x7e]){1,200}")
_UTF7_RUN = re.compile(rb"\+[A-Za-z0-9+/]{3,}")
_SHARE = 0.8
_FEW_LETTERS = 5
_LOOK = 64 << 10


def suspects(block: bytes) -> tuple[str, ...]:
    """Which of these encodings a block of ASCII may be in, most likely first; nearly always none.

    "iso2022_cn" is among the answers, though Python has no codec for it.
    """
    if b"\x1b" in block and _CALLS.search(block):
        if _KOREAN in block:
            return ("iso2022_kr",)
        return ("iso2022_cn",) if _CHINESE.search(block) else _JAPANESE
    if b"~{" in block and _HZ_RUN.search(block):
        return ("hz",)
    if b"+" in block and _UTF7_RUN.search(block):
        return ("utf-7",)
    return ()


def reads_as(encoding: str, blocks: Callable[[], Iterable[bytes]]) -> str | None:
    """The first words above ASCII that the blocks hold in it; None where they do not decode, or hold none."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        return None
    found: list[str] = []
    size = 0
    try:
        for block in blocks():
            size += _keep(decoder.decode(block), found, size)
        _keep(decoder.decode(b"", True), found, size)
    except UnicodeError:
        return None
    return " ".join(found) or None


def agrees(encoding: str, text: str, language: str) -> bool:
    """Whether the words that were found in such an encoding are of the language."""
    code = plain_language(language)
    national = {"hz": "zh", "iso2022_kr": "ko"}.get(encoding, "ja" if encoding.startswith("iso2022_jp") else code)
    return national == code and read_as(text, language).share >= _SHARE


def is_chance(encoding: str, text: str) -> bool:
    """Whether plain text may look so: the signs of HZ and UTF-7 stand in formulas too, escape sequences do not."""
    characters = [character for character in text if not character.isascii()]
    letters = sum(unicodedata.category(character)[0] in "LM" for character in characters)
    return encoding in ("hz", "utf-7") and (letters < _FEW_LETTERS or letters < _SHARE * len(characters))


def _keep(text: str, found: list[str], size: int) -> int:
    if text.isascii() or size >= _LOOK:
        return 0
    words = " ".join(word for word in text.split() if not word.isascii())[:_LOOK]
    found.append(words)
    return len(words)
