"""Right or refused: no text comes out of a wrong encoding in silence."""

import io
import random
import tomllib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.errors import PreprocessingError
from preprocessing.sources.encodings import detect_encoding, undecodable
from preprocessing.tally import Tally

TEXTS: dict[str, str] = tomllib.loads((Path(__file__).parent / "texts.toml").read_text(encoding="utf-8"))
WESTERN = ("cp1252", "iso8859-1", "iso8859-15", "cp850", "cp437", "mac_roman")
CENTRAL = ("cp1250", "iso8859-2", "cp852")
PAGES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da"), WESTERN),
    **dict.fromkeys(("pl", "cs", "hu", "ro"), CENTRAL),
    "ru": ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac_cyrillic", "cp855"),
    "uk": ("cp1251", "koi8-u", "cp1125", "iso8859-5", "mac_cyrillic"),
    "tr": ("cp1254", "iso8859-9", "cp857"),
    "lt": ("cp1257", "iso8859-13", "iso8859-4", "cp775"),
    "el": ("cp1253", "iso8859-7", "cp737", "cp869"),
    "he": ("cp1255", "iso8859-8", "cp862"),
    "ar": ("cp1256", "iso8859-6", "cp720", "mac_arabic"),
    "fa": ("cp1256", "mac_farsi"),
    "th": ("tis_620", "cp874"),
    "vi": ("cp1258",),
    "ja": ("shift_jis", "cp932", "euc_jp", "iso2022_jp", "iso2022_jp_2004"),
    "zh": ("gb2312", "gbk", "gb18030", "hz"),
    "zh-hant": ("big5", "cp950", "gb18030"),
    "ko": ("euc_kr", "cp949", "johab", "iso2022_kr"),
    "hi": (),
}
# One language of those that share their pages.
FAMILIES = ("en", "fr", "it", "pl", "hu", "ru", "uk", "tr", "lt", "el", "he", "ar", "th", "vi", "ja", "zh", "ko", "hi")
UNICODE = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-7", "utf-16", "utf-8-sig")
# A detector takes these for cp1256, whose letters they mostly share: right or refused, as everything is.
SELDOM_RIGHT = {("ar", "mac_arabic"), ("fa", "mac_farsi")}
CASES = [(language, page) for language, pages in PAGES.items() for page in (*pages, *UNICODE)]


def encoded(text: str, page: str) -> bytes:
    """The text as a typist of that time would have stored it: what the page has not is left out."""
    if page == "cp1258":  # tones are characters of their own
        text = "".join(_with_tone_apart(character) for character in text)
    return text.encode(page, "ignore")


def _with_tone_apart(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    tones = "".join(mark for mark in decomposed if mark in "\u0300\u0301\u0303\u0309\u0323")
    return unicodedata.normalize("NFC", "".join(mark for mark in decomposed if mark not in tones)) + tones


def detected(data: bytes, language: str, tally: Tally | None = None) -> str:
    return detect_encoding(lambda: io.BytesIO(data), "book.txt", language, tally=tally)


def right_or_refused(data: bytes, page: str, language: str) -> bool:
    """True where the text comes out right, False where the file is refused; a wrong text fails."""
    try:
        found = detected(data, language)
    except PreprocessingError as error:
        message = str(error)
    else:
        # A mark may come back as itself: what is compared is the text behind it.
        assert data.decode(found).lstrip("\ufeff") == data.decode(page).lstrip("\ufeff"), f"read as {found}"
        return True
    assert message.startswith("book.txt ")
    assert "--books.encoding" in message
    return False


@pytest.mark.parametrize(("language", "page"), CASES)
def test_each_page_of_each_language(language: str, page: str) -> None:
    data = encoded((TEXTS[language] + "\n") * 8, page)
    assert right_or_refused(data, page, language) or (language, page) in SELDOM_RIGHT


@pytest.mark.parametrize(("language", "page"), [(language, page) for language in PAGES for page in PAGES[language]])
def test_each_page_under_every_other_language(language: str, page: str) -> None:
    data = encoded((TEXTS[language] + "\n") * 8, page)
    for other in set(FAMILIES) - {language}:
        right_or_refused(data, page, other)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=st.sampled_from(CASES), seed=st.integers(0, 1 << 32), kilobytes=st.integers(2, 6), crlf=st.booleans())
def test_two_kilobytes_are_right_or_refused(case: tuple[str, str], seed: int, kilobytes: int, crlf: bool) -> None:
    language, page = case
    draw = random.Random(seed)
    between = "" if language in ("ja", "zh", "zh-hant", "th") else " "
    parts = TEXTS[language].replace("。", "。 ").replace("，", "， ").split()
    words, size = [], 0
    while size < kilobytes * 1000:
        words.append(draw.choice(parts) + draw.choice((between, between, between, "\r\n" if crlf else "\n")))
        size += len(words[-1])
    right_or_refused(encoded("".join(words), page), page, language)


@pytest.mark.parametrize(
    ("language", "page", "text"),
    [
        ("fr", "iso8859-15", "Le cœur de l’été coûte 5 € à Orléans, et l'œuvre de Mérimée 12 €, répète-t-il."),
        ("pl", "iso8859-2", "Żaden książę ślepy nie śpi źle; wąż jest też święty, a Łódź jest późno zaśnieżona."),
        ("pl", "cp1250", "Żaden książę ślepy nie śpi źle; wąż jest też święty, a Łódź jest późno zaśnieżona."),
        ("cs", "iso8859-2", "Šťastný žák šel přes Žižkov, řekl: těžký úkol, ďábel, kůň a škoda; ještě žije."),
        ("he", "cp1255", "בראשית היה החלום, ואחריו באו המילים והספרים, ואז שלום לכולם בכל ארץ רחוקה."),
        ("ru", "koi8-r", "Широкая электрификация южных губерний даст мощный толчок подъёму хозяйства."),
    ],
)
def test_the_bytes_that_differ_decide(language: str, page: str, text: str) -> None:
    data = text.encode(page, "ignore") * 3
    assert data.decode(detected(data, language)) == data.decode(page)


def test_a_late_byte_is_heard() -> None:
    # The first hundred kilobytes are the same in both pages; of the last word's letters only one is.
    same = " ".join(f"{word}{number}" for number in range(3000) for word in ("łódź", "kość", "żółw"))
    same = same.replace("ź", "z").replace("ś", "s")
    late = (same + " Wąż śpi pod gałęzią, ślimak też śpi. " * 2).encode("iso8859-2")
    assert late.decode(detected(late, "pl")) == late.decode("iso8859-2")


def test_hebrew_from_left_to_right_is_refused() -> None:
    seen = "\n".join(" ".join(word[::-1] for word in line.split()[::-1]) for line in [TEXTS["he"]] * 4)
    with pytest.raises(PreprocessingError, match="read as Hebrew"):
        detected(seen.encode("iso8859-8", "ignore"), "he")


def test_what_does_not_agree_with_the_language_is_refused_in_one_sentence() -> None:
    data = encoded(TEXTS["he"] * 4, "cp1255")
    with pytest.raises(PreprocessingError) as caught:
        detected(data, "ru")
    message = str(caught.value)
    assert "read as Russian" in message
    assert "a general detector takes it for cp1255 of language he" in message
    assert message.endswith("set --language to the language of the text; convert it to UTF-8, or name its encoding by "
                            "--books.encoding.")  # fmt: skip
    with pytest.raises(PreprocessingError, match="no old encoding of Hindi fits"):
        detected(data, "hi")


def test_utf8_with_bad_bytes_is_told_with_the_place() -> None:
    good = ("Où êtes-vous allés ?\n" * 50).encode()
    data = good + b"une fa\xe7ade\n" + good + b"cass\xe9e"
    with pytest.raises(
        PreprocessingError, match=r"is UTF-8 but for 2 bytes beside 300 .* 0xe7 in line 51 at byte 1206"
    ):
        detected(data, "fr")
    with pytest.raises(PreprocessingError, match=r"but for one byte .* in line 51 at byte 1200"):
        detected(good + "é".encode()[:1], "fr")
    block = 1 << 20
    early = b"a" * (block - 3) + "é\n".encode() * 5
    assert detected(early, "fr") == "utf-8"
    with pytest.raises(PreprocessingError, match=rf"in line 6 at byte {block + 12}, |in line 6 at byte {block + 12}:"):
        detected(early + b"\xff", "fr")


def test_utf8_is_judged_on_the_whole_file() -> None:
    late = b"ascii only\n" * 300_000 + TEXTS["fr"].encode("latin-1", "ignore")
    assert detected(late, "fr") == "cp1252"
    # A character that ends in the next block is no fault.
    assert detected(b"a" * ((1 << 20) - 1) + "é".encode() + b"a", "en") == "utf-8"


def test_the_file_s_own_declaration_comes_before_guessing() -> None:
    header = b"Title: X\nCharacter set encoding: ISO-8859-5\n\n"
    assert detected(header + "Привет".encode("iso8859-5"), "en") == "iso8859-5"
    lie = header.replace(b"ISO-8859-5", b"UTF-8") + TEXTS["de"].encode("cp1252")
    assert detected(lie, "de") == "cp1252"
    windows = header.replace(b"ISO-8859-5", b"ISO-8859-1") + b"\x93caf\xe9\x94"
    assert detected(windows, "fr") == "cp1252"
    undefined = header.replace(b"ISO-8859-5", b"ISO Latin-1") + b"caf\xe9 \x81"
    assert detected(undefined, "fr") == "iso8859-1"
    for impossible in (b"UTF-16", b"cp037"):
        untrue = header.replace(b"ISO-8859-5", impossible) + TEXTS["de"].encode("cp1252")
        assert all(detected(untrue + end, "de") == "cp1252" for end in (b"", b"."))
    nobody = header.replace(b"ISO-8859-5", b"Klingon-1") + TEXTS["de"].encode("cp1252")
    assert detected(nobody, "de") == "cp1252"


def test_a_declaration_that_lies_is_refused() -> None:
    header = b"Character set encoding: ISO-8859-1\n\n"
    with pytest.raises(PreprocessingError, match="declares iso8859-1, but reads as Russian in koi8-r only"):
        detected(header + TEXTS["ru"].encode("koi8-r", "ignore"), "ru")


def test_nul_bytes_are_refused_with_their_place() -> None:
    with pytest.raises(PreprocessingError, match=r"^book\.txt holds a NUL byte at offset 1200000, so"):
        detected(b"x" * 1_200_000 + b"\0more", "en")


def test_a_guess_is_counted_and_noted_with_its_confidence() -> None:
    tally = Tally()
    detected(TEXTS["de"].encode("cp850", "ignore"), "de", tally)
    detected(TEXTS["de"].encode(), "de", tally)
    assert dict(tally.counters) == {"encodings.cp850": 1, "encodings.utf-8": 1, "encodings.guessed": 1}
    (note,) = tally.notes
    assert note.locator == "book.txt"
    assert note.reason.startswith("neither UTF-8 nor declared; read as cp850, with a confidence of ")


def test_messages_name_an_option_only_where_there_is_one() -> None:
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")
    assert str(undecodable("a.txt", "utf-8", error, 5, "--sentences.encoding")) == (
        "a.txt is not valid utf-8 near byte 5; convert it to UTF-8, or name its encoding by --sentences.encoding."
    )
    with pytest.raises(PreprocessingError, match=r"; convert it to UTF-8\.$"):
        detect_encoding(lambda: io.BytesIO(b"\0"), "a.txt", option=None)


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=st.sampled_from(CASES),
    edits=st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=3), st.integers(0, 40)), max_size=6),
)
def test_damaged_text_never_ends_in_a_traceback(case: tuple[str, str], edits: list[tuple[int, bytes, int]]) -> None:
    language, page = case
    data = bytearray(encoded(TEXTS[language], page))
    for place, inserted, removed in edits:
        data[place : place + removed] = inserted
    check_answer(bytes(data), language)


@settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300), language=st.sampled_from([*PAGES, "xx", ""]))
def test_any_bytes_never_end_in_a_traceback(data: bytes, language: str) -> None:
    check_answer(data, language)


def check_answer(data: bytes, language: str) -> None:
    try:
        found = detected(data, language)
    except PreprocessingError:
        return
    try:
        data.decode(found)
    except UnicodeDecodeError:
        # Only what names itself, or is told from its first bytes, is not looked through: reading is strict.
        assert found.startswith(("utf-16", "utf-32")) or data.startswith(b"\xef\xbb\xbf")
