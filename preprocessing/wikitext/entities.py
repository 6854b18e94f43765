"""Character references of wikitext: `&nbsp;`, `&ndash;`, `&#8211;`, `&#x2013;`.

As in MediaWiki's Sanitizer: a semicolon is required, zeros may lead, and what names no character stays as it is.
"""

import re
from html.entities import html5

from preprocessing.wikitext.names import words

_REFERENCE = re.compile(r"&(?:#0*+([0-9]{1,7})|#[xX]0*+([0-9A-Fa-f]{1,6})|([A-Za-zא-תء-ي][A-Za-z0-9א-תء-ي]{1,31}));")
_NAMED = {name[:-1]: text for name, text in html5.items() if name.endswith(";")}
# Layout, not text: spaces of any width become spaces, invisible break hints vanish.
_NAMED.update(dict.fromkeys(words("nbsp thinsp ensp emsp hairsp numsp puncsp emsp13 emsp14 Tab NewLine"), " "))
_NAMED.update(dict.fromkeys(words("shy ZeroWidthSpace NoBreak"), ""))
_NAMED.update(dict.fromkeys(words("רלמ رلم"), "\u200f"))  # the right-to-left mark has two more names in MediaWiki


def decode(text: str) -> str:
    """Replace every known reference by its character; unknown names stay as they are."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _NAMED.get(name, match.group())
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code in (0xA0, 0x2009, 9, 10):
        return " "
    if code == 0xAD:
        return ""
    is_character = 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return chr(code) if is_character else match.group()
