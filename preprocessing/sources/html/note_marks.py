"""Which short texts are marks of notes: by themselves, by where they are linked, and by what they are stuck to.

Of what stands above the line, what is no mark may be a power.
"""

import re

from preprocessing.wikitext.markup_tokens import power_mark

_NOTE_MARK = re.compile(
    r"\s*[\[({]?\s*(?:(?:note|fn|anm|nota)\.?\s*)?(?:\d{1,4}|[*†‡§¶#]{1,4}|[a-z]|[ivxlc]{1,6})\s*[\])}]?[.:]?\s*",
    re.IGNORECASE,
)
_BRACKETED_MARK = re.compile(
    r"\s*(?:\[\s*(?:\d{1,4}|[*†‡§¶]{1,4}|[a-zA-Z]|[ivxlc]{1,6})\s*\]|[*†‡§¶]{1,4}|[⁰¹²³⁴-⁹]{1,4})\s*"
)
_BACK_LINK = re.compile("[\\s↩↑⏎^←⬆🔙\ufe0e\ufe0f]+")
# What stands raised above the line, or linked, without a space behind a word of some length, is no exponent.
_STUCK = re.compile(r"[\[(]?(?:\d{1,4}(?:\s*[,–-]\s*\d{1,4}){0,4}|[*†‡]{1,3})[\])]?")
_BEFORE_STUCK = re.compile(r"(?:[^\W\d_]{3}[.]?|[,;:!?”’»)])$")
_LONG_WORD = re.compile(r"(?:[^\W\d_]{3}[^\W\d_A-Z]\)?|\d{4}\))$")
_AFTER_SENTENCE = '.,;:!?"”’»…'


def is_said_to_be(text: str) -> bool:
    """Whether the text of an element that is said to be a mark of a note is one; a longer remark stays."""
    return bool(_NOTE_MARK.fullmatch(text) or _BACK_LINK.fullmatch(text))


def is_linked(text: str, behind: str) -> bool:
    """Whether a link to any place in the book is a mark, where its text stands right after `behind`.

    One to a page is linked in the same way: "see 12" stays, and so does "p.12".
    """
    if _STUCK.fullmatch(text) and _BEFORE_STUCK.search(behind):
        return True
    return bool(text.strip() and (_BRACKETED_MARK.fullmatch(text) or _BACK_LINK.fullmatch(text)))


def is_raised(text: str, behind: str) -> bool:
    """Whether a text above the line, right after `behind`, is a mark: x2, 10^6 and XVIIIe are none."""
    if text.isdecimal() and behind[-1:] and behind[-1] in _AFTER_SENTENCE:
        return True
    return bool(_BRACKETED_MARK.fullmatch(text) or (_STUCK.fullmatch(text) and _LONG_WORD.search(behind)))


def is_power(text: str, behind: str) -> bool:
    """Whether a text above the line, right after `behind`, that is no mark is a power, as in wikitext: 10^6, km^2."""
    return power_mark(behind[-1:], text, "") == "^"
