import pytest

from preprocessing.sources.html.decoding import UndecodableError, declared_encoding, decode_page

TEXT = "Der Fluß, naïve Café-Gäste und Größe"


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        ('<meta charset="windows-1252">', "cp1252"),
        ("<META CHARSET=iso-8859-1>", "cp1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=ISO-8859-15">', "iso8859-15"),
        ("<?xml version='1.0' encoding='macintosh'?>", "mac_roman"),
        ('<!-- <meta charset="koi8-r"> --><meta charset=latin1>', "cp1252"),
        ("\ufeff", "utf-8"),
        ("", "utf-16"),
        ("<", "utf-16-le"),
        ("<", "utf-16-be"),
        ("<", "utf-32-be"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=nobody-knows>", "utf-8"),
        ("<meta charset=iso-8859-2>", "utf-8"),  # left over
        ("", "cp1252"),
    ],
)
def test_marks_and_declarations(head: str, codec: str) -> None:
    text, _ = decode_page((head + TEXT).encode(codec), "p.html", "de")
    assert text == (head + TEXT).removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("said", "codec"),
    [
        ("gb2312", "gb18030"),
        ("x-sjis", "cp932"),
        ("big5", "big5hkscs"),
        ("euc-kr", "cp949"),
        ("latin1", "cp1252"),
        ("tis-620", "cp874"),
        ("utf-7", "utf-7"),
        ("zlib", None),
        ("hex", None),
        ("unicode_escape", None),
        ("raw-unicode-escape", None),
        ("idna", None),
        ("undefined", None),
    ],
)
def test_names_mean_what_they_mean_to_browsers(said: str, codec: str | None) -> None:
    assert declared_encoding(f"<meta charset='{said}'>".encode()) == codec


def test_five_bytes_that_windows_does_not_know() -> None:
    assert decode_page(b"<meta charset=latin1>caf\xe9\x81", "p", "fr")[1] == "latin-1"


def test_what_the_user_names_holds_where_the_page_is_silent() -> None:
    assert decode_page("Привет, мир, снова".encode("koi8-r"), "p", "ru", "koi8_r")[0] == "Привет, мир, снова"
    page = "<meta charset=cp1251>Привет"
    assert decode_page(page.encode("cp1251"), "p", "ru", "koi8_r")[0] == page


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("page", ["\n <p>ეს არის ტექსტი</p>", "<?xml version='1.0'?><p>ეს</p>", "Größe, <b>wo?</b>"])
def test_wide_pages_without_a_mark(codec: str, page: str) -> None:
    """A line feed before the first tag made one order of bytes the other; Georgian has no table."""
    assert decode_page(page.encode(codec), "p", "de")[0] == page


def test_a_stray_control_code_makes_no_page_wide() -> None:
    page = "<p>naïve\x01 text</p>"
    assert decode_page(page.encode(), "p", "en") == (page, "utf-8")


def test_bytes_that_are_no_text_are_one_sentence() -> None:
    with pytest.raises(UndecodableError, match=r"^p\.html ") as caught:
        decode_page(b"a\x00bc\xff" * 99, "p.html", "en")
    assert "\n" not in str(caught.value)
