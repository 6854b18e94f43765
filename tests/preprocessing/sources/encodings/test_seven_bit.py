"""ASCII that is another encoding, and ASCII that only looks so."""

import io

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.encodings import detect_encoding


def detected(data: bytes, language: str) -> str:
    return detect_encoding(lambda: io.BytesIO(data), "a.txt", language)


@pytest.mark.parametrize(
    ("text", "encoding", "language"),
    [
        ("今日は雨です。", "iso2022_jp", "ja"),
        ("港の名は﨑〜です。①", "iso2022_jp_2004", "ja"),
        ("ﾊﾝ文字です。今日は雨です。明日も雨でしょう。", "iso2022_jp_ext", "ja"),
        ("오늘은 비가 온다.", "iso2022_kr", "ko"),
        ("今天下雨。", "hz", "zh"),
        ("für", "utf-7", "de"),
        ("Вчера шёл дождь.", "utf-7", "ru"),
    ],
)
def test_what_hides_in_ascii_is_found(text: str, encoding: str, language: str) -> None:
    data = ("plain words first\n" * 3 + text + "\n").encode(encoding, "ignore")
    assert data.isascii()
    assert data.decode(detected(data, language)) == data.decode(encoding)


@pytest.mark.parametrize(
    "plain",
    [
        b"call +12025550100 or +4930123456 now, C++ and a+b, 1 + 1",
        b"set ~{x} to ~{abcd~} twice",
        b"\x1b[31mred\x1b[0m text of a terminal",
        b"q+ABC- is a macro",
        b"~user, ~~, ~{",
    ],
)
def test_plain_text_stays_plain(plain: bytes) -> None:
    assert detected(plain * 20, "en") == "utf-8"


def test_a_sum_in_an_early_block_hides_no_late_escape() -> None:
    data = b"a +bcd sum\n" * 100_000 + "今日は雨です。".encode("iso2022_jp")
    assert detected(data, "ja") == "iso2022_jp"


def test_what_is_of_another_language_is_refused() -> None:
    for text, encoding in (
        ("今日は雨です。", "iso2022_jp"),
        ("今天下雨，明天也下。", "hz"),
        ("Вчера шёл дождь.", "utf-7"),
    ):
        with pytest.raises(PreprocessingError, match=rf"is in {encoding}, but .* does not read as English: set --lang"):
            detected(text.encode(encoding), "en")


def test_escape_sequences_that_do_not_decode_are_refused() -> None:
    with pytest.raises(PreprocessingError, match="has escape sequences of ISO 2022"):
        detected(b"\x1b$B\x7f\x7f\x1b(B", "ja")
    with pytest.raises(PreprocessingError, match="has escape sequences of ISO 2022"):
        detected(b"\x1b$)A\x0eKZ\x0f", "zh")
