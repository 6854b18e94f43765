"""Every language's table is well-formed, and a wrong one is refused in one sentence."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from preprocessing.documents.sentences import Segmenter, table
from preprocessing.documents.sentences.table import SentenceTable, sentence_table
from preprocessing.errors import PreprocessingError
from preprocessing.languages import LANGUAGES

FIRST_CLASS = [
    "en",
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "ru",
    "uk",
    "sv",
    "da",
    "tr",
    "ja",
    "zh",
    "ko",
    "ar",
    "he",
    "fa",
    "hi",
    "fi",
]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_table_is_read(language: str) -> None:
    held = sentence_table(language)
    assert isinstance(held, SentenceTable) or language not in FIRST_CLASS
    if held:
        assert not held.never_end & (held.before_numbers | held.before_names), "never is never: one list is enough"


@pytest.mark.parametrize("language", FIRST_CLASS)
def test_the_languages_of_first_class_have_tables(language: str) -> None:
    assert sentence_table(language)


def test_a_language_without_a_table_has_none() -> None:
    assert sentence_table("eo") is None


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A table that a test may fill."""
    content: dict[str, Any] = {}
    monkeypatch.setattr(table, "section", lambda language, name: content)
    sentence_table.cache_clear()
    yield content
    sentence_table.cache_clear()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("never_ends", ["dr."], "never_ends"),
        ("never_end", ["dr"], "'dr' is not an abbreviation"),
        ("before_names", ["z. b."], "'z. b.' is not an abbreviation"),
        ("before_numbers", 5, "before_numbers"),
        ("starters", ["the"], "'the' does not begin with a capital"),
        ("quotations", ["«"], "'«' is not a pair"),
        ("stops", "…।", "stops"),
        ("ordinals", "perhaps", "ordinals"),
    ],
)
def test_a_wrong_table_is_refused(held: dict[str, Any], key: str, value: object, said: str) -> None:
    held[key] = value
    with pytest.raises(PreprocessingError, match=re.escape(said)) as raised:
        Segmenter("de")
    assert "'de'" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "preprocessing/languages/" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "its_own", "not_theirs"),
    [
        ("Das gilt z. B. Tieren.", "de", "es"),
        ("Véase núm. 3 de 5.", "es", "it"),
        ("Han kom d. 5. Maj.", "da", "sv"),
        ("Vedi pag. 5.", "it", "ru"),
        ("Pan mgr. Nowak.", "pl", "de"),
    ],
)
def test_entries_are_of_their_language_alone(text: str, its_own: str, not_theirs: str) -> None:
    assert Segmenter(its_own).segment([text]) == [text]
    assert len(Segmenter(not_theirs).segment([text])) > 1
