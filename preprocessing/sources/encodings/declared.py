"""What a file itself says of its encoding: marks, headers, declarations in markup; and what such names mean.

Names mean what browsers take them for (WHATWG Encoding Standard, section 4.2): files that call themselves ISO-8859-1,
GB2312 or EUC-KR are in the supersets that Windows made of these.
"""

import codecs
import re

from preprocessing.errors import PreprocessingError

# Longest first: UTF-32's little-endian mark begins with UTF-16's. The codecs named here consume the mark.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARKUP_HEAD = 1024
"""How far declarations in HTML should stand from the start (HTML Standard, section 4.2.5.4)."""
_END_OF_HEAD = re.compile(rb"</head|<body", re.IGNORECASE)
_SCRIPT = re.compile(rb"<(script|style)\b.*?</\1", re.IGNORECASE | re.DOTALL)
_GUTENBERG = re.compile(rb"^character set encoding:[ \t]*([^\r\n]{1,60})", re.IGNORECASE | re.MULTILINE)
_XML = re.compile(rb"""^\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']\s*([\w.:-]{1,40})\s*["']""")
_META = re.compile(rb"""<meta\s[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_OTHER_NAMES = {
    "latin-1": "iso8859-1",
    "iso-646-us": "ascii",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "windows-949": "cp949",
    "x-gbk": "gb18030",
    "cn-big5": "big5",
    "x-x-big5": "big5",
    "big5-hkscs": "big5hkscs",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "macroman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ukrainian": "mac_cyrillic",
    "dos-874": "cp874",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "logical": "iso8859-8",
    "koi": "koi8-r",
    "koi8": "koi8-r",
    "unicode": "utf-8",
}

_NO_ENCODINGS = frozenset(("unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"))


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark at the start names."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def declared_in_header(head: bytes) -> str | None:
    """The encoding that Project Gutenberg's header names, if Python has it, as `named_encoding` gives it."""
    match = _GUTENBERG.search(head)
    name = named_encoding(match[1].decode("ascii", "replace")) if match else None
    return name if name and _holds_ascii(name) else None


def declared_in_markup(head: bytes) -> str | None:
    """The encoding that XML or HTML declares in its first bytes, as `named_encoding` gives it; None without one.

    A declaration that is read as ASCII but names UTF-16 or UTF-32 is taken for UTF-8, as browsers do. A mark comes
    before a declaration: ask `marked_encoding` first.
    """
    match = _XML.match(head) or _META.search(_COMMENT.sub(b"", head[:_MARKUP_HEAD]))
    if not match and len(head) > _MARKUP_HEAD:  # browsers obey a later one too, and begin anew
        end = _END_OF_HEAD.search(head)
        match = _META.search(_SCRIPT.sub(b"", _COMMENT.sub(b"", head[: end.start() if end else None])))
    name = named_encoding(match[1].decode("ascii", "replace")) if match else None
    if name and name.startswith(("utf-16", "utf-32")):
        return "utf-8"
    return name if name and _holds_ascii(name) else None


def named_encoding(name: str) -> str | None:
    """Python's name of the encoding of text that is called `name`; None where nobody knows that name."""
    name = name.strip().lower()
    # Old headers also say "ISO-646-US (US-ASCII)", "ISO Latin-1", "Unicode UTF-8", "Windows Code Page 1252".
    page = re.search(r"(?:code\s?page|windows|cp|ibm)[\s_-]*(\d{3,4})\b", name)
    bare = re.sub(r"^(?:iso|unicode|charset)[\s=:]+", "", name)
    for spelling in (name, bare, name.partition(" ")[0], page and f"cp{page[1]}"):
        codec = _codec(_OTHER_NAMES.get(spelling, spelling)) if spelling else None
        if codec:
            return codec
    return None


def superset(encoding: str) -> str:
    """The larger encoding that texts of that name are really in; the same where there is none."""
    return _SUPERSETS.get(encoding, encoding)


def known_encoding(encoding: str) -> str:
    """`encoding` as Python names it. Raises PreprocessingError when there is no such codec of text."""
    codec = _codec(encoding.strip())
    if codec is None:
        raise PreprocessingError(
            f"There is no encoding called {encoding!r}; give one such as utf-8, cp1252 or latin-1."
        )
    return codec


def _holds_ascii(encoding: str) -> bool:
    # A declaration that is read as ASCII cannot be right where ASCII means something else, as in UTF-16 and EBCDIC.
    try:
        return b"Encoding: X-1.".decode(encoding) == "Encoding: X-1."
    except UnicodeError:
        return False


def _codec(name: str) -> str | None:
    try:
        info = codecs.lookup(name)
        # Codecs that turn bytes into bytes (zip), text into text (rot13) or read escapes are no encodings of a file.
        b"a".decode(info.name)
    except UnicodeError:  # half a character in a wide encoding
        pass
    except (LookupError, ValueError):
        return None
    return None if info.name.replace("_", "-") in _NO_ENCODINGS else info.name
