"""Uncased vocabularies that take letters apart are told of; those that keep marks, and Latin ones, are not."""

import pytest

from preprocessing.languages import LANGUAGES
from preprocessing.tokens.lost_marks import lost_marks
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build


def tokenizer(pieces: str = "ab", **settings: bool) -> Tokenizer:
    return build({piece: index for index, piece in enumerate((*SPECIAL_TOKENS, *pieces))}, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "change"),
    [
        ("hi", "Hindi (◌े → nothing"),
        ("th", "Thai (◌่ → nothing"),
        ("ja", "Japanese (で → て"),
        ("ko", "Korean (이 → ᄋ + ᅵ"),
        ("vi", "Vietnamese (à → a"),
        ("ru", "Russian (й → и, ё → е)"),
        ("ar", "Arabic (أ → ا"),
        ("hi_IN", "Hindi (◌े → nothing"),
    ],
)
def test_what_goes_is_shown_with_what_to_do(language: str, change: str) -> None:
    (sentence,) = lost_marks(tokenizer(lowercase=True), language)
    assert change in sentence
    assert sentence.endswith("use one that preprocessing/vocabulary.py trains with --keep-accents or --cased")


@pytest.mark.parametrize("language", ["en", "de", "pl", "tr", "zh", "he", "hy", "sr", "xx"])
def test_languages_that_lose_no_letter(language: str) -> None:
    assert lost_marks(tokenizer(lowercase=True), language) == []


@pytest.mark.parametrize("language", [*sorted(LANGUAGES), "hi-Latn", "yue"])
def test_every_language_can_be_asked_for(language: str) -> None:
    assert len(lost_marks(tokenizer(lowercase=True), language)) <= 1


@pytest.mark.parametrize("settings", [{"lowercase": False}, {"lowercase": True, "accents": True}])
def test_vocabularies_that_keep_marks(settings: dict[str, bool]) -> None:
    assert all(lost_marks(tokenizer(**settings), language) == [] for language in ("hi", "th", "ja", "ko", "vi"))


def test_the_vocabulary_s_own_script_counts_too() -> None:
    (sentence,) = lost_marks(tokenizer("कखगघचछजझटठडढणतथ", lowercase=True), "en")
    assert "Hindi" in sentence


def test_accents_are_kept_in_lower_case_in_both_tokenizers() -> None:
    kept = tokenizer("でéて", lowercase=True, accents=True)
    ids, _ = kept.encode(["で É て"])
    assert [kept.tokens[index] for index in ids] == ["で", "é", "て"]
    assert kept.backend.encode("で É て", add_special_tokens=False).tokens == ["で", "é", "て"]
