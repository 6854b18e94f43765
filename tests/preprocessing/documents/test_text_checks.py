"""Odd text is counted, and what is much is said; ordinary text of any language is not odd."""

import tomllib
from pathlib import Path

import pytest

from preprocessing.documents.text_checks import TextChecks, warnings_of
from preprocessing.tally import Tally

TEXTS = tomllib.loads(
    (Path(__file__).parent.parent / "sources" / "encodings" / "texts.toml").read_text(encoding="utf-8")
)


def counted(paragraphs: list[str], language: str = "en") -> Tally:
    tally = Tally()
    TextChecks(language).look(paragraphs, tally)
    return tally


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_ordinary_text_is_not_odd(language: str) -> None:
    counters = counted([TEXTS[language], TEXTS[language].upper()] * 40, language).counters
    assert counters["checks.paragraphs"] == 80
    odd = {name for name in counters if name.startswith("checks.sampled_in.")} | {
        "checks.mojibake_paragraphs",
        "checks.replacement_characters",
        "checks.c1_controls",
    }
    assert not odd & counters.keys()
    assert counters["checks.sampled_letters"] > 100
    assert warnings_of(counters, language) == []


@pytest.mark.parametrize(
    ("text", "written", "read"),
    [
        ("Le café était fermé", "utf-8", "cp1252"),
        ("It’s the waiter’s turn", "utf-8", "cp1252"),
        ("12 °C, £5 – »so«", "utf-8", "latin-1"),
        ("Grüße aus Köln", "utf-8", "mac_roman"),
        ("the waiter’s turn", "utf-8", "mac_roman"),
        ("Рано утром корабль", "utf-8", "latin-1"),
        ("Рано утром корабль", "utf-8", "cp1251"),
        ("Рано утром корабль", "cp1251", "latin-1"),
        ("Рано утром корабль", "koi8-r", "latin-1"),
        ("Καλημέρα σας", "cp1253", "latin-1"),
        ("في الصباح الباكر", "utf-8", "latin-1"),
        ("Zażółć gęślą jaźń", "utf-8", "cp1250"),
        ("Příliš žluťoučký kůň", "utf-8", "cp1250"),
        ("Zażółć gęślą jaźń", "utf-8", "cp1252"),
        ("Καλημέρα σας", "utf-8", "cp1253"),
        ("Καλημέρα σας", "utf-8", "cp1252"),
        ("في الصباح الباكر", "utf-8", "cp1256"),
        ("בבוקר יצאה האונייה", "utf-8", "cp1255"),
        ("朝早く、船は港を出ました", "utf-8", "cp932"),
        ("\ufffd\ufffd\ufffd", "utf-8", "gbk"),
    ],
)
def test_text_of_a_wrong_encoding_is_counted(text: str, written: str, read: str) -> None:
    bent = text.encode(written).decode(read, "ignore")
    assert (
        counted(["plain", bent, "plain"] if read != "latin-1" else [bent]).counters["checks.mojibake_paragraphs"] == 1
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ΟΝΟΜΑΤΟΛΟΓΙΑ ΤΟΠΟΝΥΜΙΟΝ, ΞΕΝΟΦΟΒΟΣ, Ο Ξένος και Ο Όμηρος", "el"),
        ("Ăştia sunt ĂŞTIA; în gând; ÎNTÂI „Îi spun”", "ro"),
        ("Å, Ä och Ö: ”Å” och ’Ä’ … 1,54 Å±0,02 Å; Ängen – ÄÄRE", "sv"),
        ("Ľudia, Ĺ a ĺ, vĺba, Äpfel", "sk"),
        ("طط ظظ الطاهر وظل الطريق والطقس ط.ظ.", "ar"),
        ("ג׳ורג׳ וצ׳רלי, ג׳ ד׳ ה׳", "he"),
    ],
)
def test_letters_that_begin_mojibake_are_letters_too(text: str, language: str) -> None:
    assert not counted([text] * 3, language).counters["checks.mojibake_paragraphs"]


def test_twice_encoded_text_is_counted() -> None:
    once = "né à Genève".encode().decode("cp1252", "ignore")
    assert counted([once.encode().decode("cp1252", "ignore")]).counters["checks.mojibake_paragraphs"] == 1


def test_broken_characters_are_counted_one_by_one() -> None:
    counters = counted(["a\ufffdb\ufffd", "c\x93d\x94e\x85 next line \x85", "é"]).counters
    assert counters["checks.replacement_characters"] == 2
    assert counters["checks.c1_controls"] == 2  # U+0085 is a line's end


def test_another_script_than_the_language_s_is_said_with_numbers() -> None:
    counters = counted([TEXTS["en"]] * 400 + [TEXTS["ru"]] * 40, "ru").counters
    (sentence,) = warnings_of(counters, "ru")
    assert sentence.startswith("89% of 4,271 letters")
    assert "are not in the script of Russian (--language ru), most of these paragraphs begin in Latin" in sentence
    assert warnings_of(counted([TEXTS["ru"]] * 400, "ru").counters, "ru") == []
    assert warnings_of(counted([TEXTS["ru"]] * 400, "xx").counters, "xx") == []


def test_much_mojibake_and_many_broken_characters_are_said() -> None:
    bent = TEXTS["fr"].encode().decode("cp1252", "ignore")
    few = counted([bent] + ["plain"] * 200).counters
    assert warnings_of(few, "fr") == []
    many = counted([bent, "a\ufffd", "b\x93"] + ["plain"] * 30).counters
    assert [sentence[:6] for sentence in warnings_of(many, "fr")] == ["1 of 3"]
    broken = counted(["a\ufffd\ufffd", "b\x93\x94"] * 15).counters
    assert [sentence[:13] for sentence in warnings_of(broken, "fr")] == ["30 characters", "30 characters"]
