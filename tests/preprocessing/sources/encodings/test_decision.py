"""Between old encodings: few signs in much ASCII are Windows' unless that is absurd; else right or refused."""

import contextlib
import io
import tomllib
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.encodings import detect_encoding

TEXTS: dict[str, str] = tomllib.loads((Path(__file__).parent / "texts.toml").read_text(encoding="utf-8"))
ENGLISH = "The harbour lay quiet in the fog, and nobody had told the fishermen that winter would come so early.\n" * 40
SIGNS = (
    "the café",
    "It cost £5.",
    "“Well,” he said, “it’s late.”",
    "It’s late.",
    "He left — and came back.",
    "30° at noon",
    "a cup and ½ of flour",
    "© 1999 by the author",
    "See § 12.",
    "the Encyclopædia of Cæsar",
    "a naïve rôle",
    "was\xa0late",
    "It cost €5.",
    "Well… no.",
    "• first",
    "a Thing™ here",
    "ÉMILE ZOLA AND ÉDOUARD MANET",
    "3 × 4 yards",
    "poems · letters",
    "Søren walked",
    "Hawai‘i and M‘Culloch",
    "Ångström",
)


def found_in(data: bytes) -> str:
    return detect_encoding(lambda: io.BytesIO(data), "book.txt", "en")


@pytest.mark.parametrize("sign", SIGNS)
def test_an_english_book_with_one_sign_is_read(sign: str) -> None:
    for length in (300, 4000):
        data = f"{ENGLISH[:length]}\n{sign}\n".encode("cp1252")
        assert data.decode(found_in(data)) == data.decode("cp1252")
        for page in ("iso8859-15", "cp850", "cp437", "mac_roman"):
            other = f"{ENGLISH[:length]}\n{sign}\n".encode(page, "ignore")
            with contextlib.suppress(PreprocessingError):
                assert other.decode(found_in(other)) == other.decode(page)


def test_some_words_are_enough_for_a_seldom_page() -> None:
    words = "the café, a fiancé, a toupée, the rosé, naïve, a rôle, Zoë, façade, crème brûlée\n"
    for page in ("cp850", "mac_roman"):
        data = (ENGLISH + words).encode(page)
        assert data.decode(found_in(data)) == ENGLISH + words


@pytest.mark.parametrize("language", ["fr", "es", "it", "pt", "sv", "da", "de"])
def test_a_western_language_needs_no_option(language: str) -> None:
    data = TEXTS[language].encode("cp1252", "ignore")
    assert data.decode(found_in(data)) == data.decode("cp1252")


def test_a_refusal_shows_a_word_in_every_candidate() -> None:
    with pytest.raises(PreprocessingError, match=r'its first such word reads "café" \(cp850, cp437\), "caf‚" \(cp1252'):
        found_in((ENGLISH + "the café").encode("cp850"))


@pytest.mark.parametrize("beginning", [b"{\\rtf1\\ansi ", b"%PDF-1.4\n", b"\xd0\xcf\x11\xe0\xa1\xb1", b"%!PS-Adobe\n"])
def test_documents_called_text_are_refused(beginning: bytes) -> None:
    with pytest.raises(PreprocessingError, match=r"^book\.txt is a?.*, not plain text; convert it to UTF-8\.$"):
        found_in(beginning + b"text")
