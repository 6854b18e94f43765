"""UTF-16 and UTF-32 without a mark, which are told from how their text reads: as the language, or as markup."""

import codecs
import re

from preprocessing.sources.encodings.plausibility import alphabet

_CHARACTERS = 4 << 10
_SHARE = 0.9
# In the wrong order of bytes this is Chinese and Bengali.
_MARKUP = re.compile(r"\s*<[!?/A-Za-z]")
# No encoding of one or two bytes has these in text; what has them is wide, or no text.
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r\f\v\x1a\x1b\x0e\x0f"))


def may_be_wide(head: bytes) -> bool:
    """Whether the bytes hold codes that no text in narrower encodings has."""
    return len(head) != len(head.translate(None, _CONTROLS))


def wide_encoding(head: bytes, language: str) -> str | None:
    """The encoding in which nine in ten characters are ASCII or in place in the language, or None.

    What begins with a tag needs no language: XML's own rule (XML 1.0, appendix F.1).
    """
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)[:_CHARACTERS]
        except UnicodeDecodeError:
            continue
        if text and (_MARKUP.match(text) or _good_characters(text, language) >= _SHARE * len(text)):
            return encoding
    return None


def _good_characters(text: str, language: str) -> int:
    known = alphabet(language)
    good = 0
    for before, character, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if character.isascii():
            good += character.isprintable() or character in "\t\n\r\f\x1a"
        else:
            good += known.judge(character, before, after)[1]
    return good
