from hypothesis import given
from hypothesis import strategies as st

from preprocessing.documents.text_bytes import are_plain, count_symbols

_CHARACTERS = st.sampled_from("aZ  \t\n\x00\x1f\x7f~!1é中\ud800\u0301")
_PARAGRAPHS = st.lists(st.lists(_CHARACTERS, max_size=6).map("".join), max_size=6)


@given(_PARAGRAPHS)
def test_what_is_plain_is_printable_ascii_with_single_blanks(paragraphs: list[str]) -> None:
    expected = [
        bool(text) and text.isascii() and text.isprintable() and text == " ".join(text.split()) for text in paragraphs
    ]
    found = are_plain(paragraphs)
    if any("\n" in text for text in paragraphs):
        assert not any(found)
    else:
        assert found == expected


def test_every_byte_of_ascii_is_told_apart() -> None:
    for code in range(128):
        text = f"a{chr(code)}b"
        assert are_plain([text, "plain"]) == [text.isprintable(), code != 10]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_symbols_are_counted_as_one_by_one(paragraphs: list[str]) -> None:
    stored = "".join(paragraphs).encode()
    symbols = sum(byte < 128 and byte != 32 and not chr(byte).isalpha() for byte in stored)
    assert count_symbols(paragraphs) == (symbols, len(stored) - stored.count(b" "))
