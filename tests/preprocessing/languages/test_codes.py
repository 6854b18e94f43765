"""One code a language, whatever it is called."""

import pytest

from preprocessing.languages import plain_language


@pytest.mark.parametrize(
    ("code", "language"),
    [
        *(("en", "en"), ("EN", "en"), ("simple", "en"), ("zh-Hans", "zh"), ("zh_hant", "zh"), ("pt-BR", "pt")),
        *(("zh-min-nan", "nan"), ("zh-yue", "yue"), ("zh-classical", "lzh"), ("be-x-old", "be"), ("be-tarask", "be")),
        *(("iw", "he"), ("in", "id"), ("in-ID", "id"), ("no", "nb"), ("als", "gsw"), ("", "")),
    ],
)
def test_the_language_of_a_code(code: str, language: str) -> None:
    assert plain_language(code) == language
