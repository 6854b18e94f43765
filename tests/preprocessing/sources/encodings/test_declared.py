"""Names of encodings, as files declare them."""

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.encodings import declared_in_markup, known_encoding, marked_encoding
from preprocessing.sources.encodings.declared import declared_in_header, named_encoding, superset


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b'<?xml version="1.0" encoding="GBK"?><html/>', "gbk"),
        (b"\n <?xml version='1.0' encoding='x-sjis' ?>", "cp932"),
        (b'<?xml version="1.0" encoding="UTF-16"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="klingon"?>', None),
        (b'<?xml version="1.0"?><meta charset="big5">', "big5"),
        (b"<html><head><META HTTP-EQUIV=Content-Type CONTENT='text/html; charset=EUC-KR'>", "euc_kr"),
        (b"<!-- <meta charset=koi8-r> --><meta charset=windows-1251>", "cp1251"),
        (b"<!-- <meta charset=koi8-r>", None),
        (b" " * 1100 + b"<meta charset=koi8-r>", "koi8-r"),
        (b"<script>" + b" " * 1100 + b"'<meta charset=big5>'</script><META charset=koi8-r>", "koi8-r"),
        (b" " * 1100 + b"<body>about <meta charset=koi8-r>", None),
        (b"<p>no declaration, charset=koi8-r</p>", None),
        (b'<meta charset="zip">', None),
    ],
)
def test_declarations_in_markup(head: bytes, encoding: str | None) -> None:
    assert declared_in_markup(head) == encoding


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("ISO-646-US (US-ASCII)", "ascii"),
        ("ISO Latin-1", "iso8859-1"),
        ("Unicode UTF-8", "utf-8"),
        ("Windows Code Page 1252", "cp1252"),
        ("CP-1252", "cp1252"),
        ("MacRoman", "mac-roman"),
        ("iso-8859-8-i", "iso8859-8"),
        ("ks_c_5601-1987", "cp949"),
        ("DOS-874", "cp874"),
        ("UTF-16", None),
        ("cp500", None),
        ("rot13", None),
        ("unicode_escape", None),
        ("../etc/passwd", None),
        ("", None),
    ],
)
def test_names_in_headers(name: str, encoding: str | None) -> None:
    assert named_encoding(name) == encoding or name in ("UTF-16", "cp500")
    header = b"Title: X\r\nCharacter set encoding: " + name.encode() + b"\r\nProduced by"
    assert declared_in_header(header) == encoding


def test_supersets_hold_what_the_smaller_encoding_holds() -> None:
    for smaller, page in (("iso8859-9", "cp1254"), ("tis-620", "cp874"), ("gb2312", "gb18030"), ("euc_kr", "cp949")):
        assert superset(smaller) == page
    assert superset("koi8-r") == "koi8-r"


def test_marks() -> None:
    assert marked_encoding(b"\xff\xfe\0\0a\0\0\0") == "utf-32"
    assert marked_encoding(b"\xff\xfea\0") == "utf-16"
    assert marked_encoding(b"\xef\xbb\xbfa") == "utf-8-sig"
    assert marked_encoding(b"a") is None


def test_unknown_encoding_names_are_refused() -> None:
    assert known_encoding("LATIN1") == "iso8859-1"
    for name in ("klingon", "zlib", "hex"):
        with pytest.raises(PreprocessingError, match=f"no encoding called '{name}'"):
            known_encoding(name)
