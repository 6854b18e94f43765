import sys
import unicodedata

import pytest

from preprocessing.documents import cleaning
from preprocessing.documents.cleaning import Cleaner
from preprocessing.documents.options import CleaningOptions
from preprocessing.tally import Tally

PROSE = "The fox ran over the hill and was not seen again until the evening of that day."


def clean(*paragraphs: str, **options: object) -> tuple[list[str], dict[str, int]]:
    tally = Tally()
    cleaned = Cleaner(CleaningOptions(**options)).clean(paragraphs, tally)
    return cleaned, dict(tally.counters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("  two  spaces\tand\na tab ", "two spaces and a tab"),
        ("no\u00a0break\u2003wide\u2028line", "no break wide line"),
        ("bell\x07 nul\x00 del\x7f c1\x85x", "bell nul del c1 x"),
        ("soft\u00adhyphen zero\u200bwidth \ufeffmark \u202eback\u202c", "softhyphen zerowidth mark back"),
        ("private\ue000 replaced\ufffd nonchar\uffff \U0010ffff", "private replaced nonchar"),
        ("lone \ud800surrogate", "lone surrogate"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("e\u0301te\u0301", "été"),
        ("\t\x00 ", None),
    ],
)
def test_paragraphs_become_one_clean_line(text: str, expected: str | None) -> None:
    assert clean(text)[0] == ([expected] if expected else [])


def test_every_changed_character_is_counted() -> None:
    _, counters = clean("a\x00b\u200bc", "cafe\u0301", "clean")
    assert counters == {"cleaning.control_characters": 2, "cleaning.normalised_paragraphs": 1}


def test_rules_can_be_switched_off() -> None:
    raw = "ﬁne e\u0301 \u200b"
    assert clean(raw, normalization="none", drop_control_characters=False)[0] == [raw.strip()]
    assert clean(raw, normalization="NFKC")[0] == ["fine é"]
    assert clean("x \ud800 y", drop_control_characters=False)[0] == ["x y"]  # UTF-8 could not hold it


def test_removed_characters_are_no_letters_marks_or_spaces() -> None:
    removed = set("".join(cleaning._UNPRINTABLE.findall("".join(map(chr, range(sys.maxunicode + 1))))))
    assert {unicodedata.category(character)[0] for character in removed - {"\ufffc", "\ufffd"}} == {"C"}
    assert not any(character.isspace() for character in removed)
    assert {"\u200c", "\u200d"}.isdisjoint(removed)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("This website uses COOKIES to improve your experience.", False),
        ("Please enable JavaScript.", False),
        ("JavaScript is a programming language.", True),
        ("He wrote on cookie policy. " * 20, True),
    ],
)
def test_boilerplate_is_short_and_named(text: str, kept: bool) -> None:
    cleaned, counters = clean(text)
    assert bool(cleaned) == kept
    assert counters.get("cleaning.boilerplate_paragraphs", 0) == (not kept)


@pytest.mark.parametrize(
    ("paragraphs", "options", "reason"),
    [
        ([PROSE], {}, None),
        ([], {}, "empty"),
        (["Too short."], {}, "too_short"),
        (["Too short."], {"minimum_characters": 0}, None),
        (["1 2 3 4 5 6 7 8 9 | 10 11 12 13 14 15 | 16 17 18 19 20 21 22"], {}, "mostly_symbols"),
        (["1 2 3 4 5 6 7 8 9 | 10 11 12 13 14 15 | 16 17 18 19 20 21 22"], {"maximum_symbol_share": 1.0}, None),
        (["東京は日本の首都であり、世界最大級の都市である。" * 3], {}, None),
        ([PROSE, PROSE], {}, "repetitive"),
        ([PROSE, PROSE], {"maximum_repeated_share": 1.0}, None),
        ([PROSE, PROSE.upper(), PROSE.lower(), PROSE], {}, None),
    ],
)
def test_documents_are_refused_with_a_reason(
    paragraphs: list[str], options: dict[str, float], reason: str | None
) -> None:
    assert Cleaner(CleaningOptions(**options)).refusal(paragraphs) == reason


@pytest.mark.parametrize("before", range(0, 70, 3))
def test_long_runs_of_marks_are_found_wherever_they_stand(before: int) -> None:
    for length in (30, 31, 32, 61, 90):
        tally = Tally()
        text = "ab" * 600 + "x" * before + "\u0332" * length + "é" * 5
        (found,) = Cleaner(CleaningOptions()).clean([text], tally)
        assert found.count("\u0332") == 30
        assert tally.counters["cleaning.combining_marks"] == length - 30


def test_runs_of_combining_marks_are_cut_before_they_are_sorted() -> None:
    """Sorting a run takes the square of its length: a line of 16 MB took hours."""
    tally = Tally()
    accent, below = "\u0301", "\u0323"
    ordinary = "e" + accent + below  # normalised: one letter with both
    (found,) = Cleaner(CleaningOptions()).clean([f"{ordinary * 500} a{(accent + below) * 100_000}b"], tally)
    first, second = found.split(" ")
    assert first == unicodedata.normalize("NFC", ordinary * 500)
    assert len(second) <= 32
    assert (second[0], second[-1]) == ("á", "b") or second.endswith("b")
    assert tally.counters["cleaning.combining_marks"] == 200_000 - 30
