"""Every table is found by its code, and holds only sections that somebody reads."""

import tomllib
from pathlib import Path

import pytest

from preprocessing.languages import LANGUAGES, section, tables


def test_the_languages_of_first_class_have_tables() -> None:
    first_class = "ar da de en es fa fr he hi it ja ko nl pl pt ru sv tr uk zh"
    assert set(first_class.split()) <= LANGUAGES


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_sections(code: str) -> None:
    file = Path(tables.__file__).parent / f"{code}.toml"
    assert set(tomllib.loads(file.read_text(encoding="utf-8"))) == {"writing", "wikitext", "sentences"}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        *(("zh-hant", "Chinese"), ("zh_TW", "Chinese"), ("zh-yue", "Chinese"), ("lzh", "Chinese")),
        *(("simple", "English"), ("DE", "German"), ("iw", "Hebrew"), ("in", "Indonesian")),
    ],
)
def test_variants_share_a_table(code: str, name: str) -> None:
    assert section(code, "writing")["name"] == name


@pytest.mark.parametrize("code", ["xx", "../en", "en/../de", "", "zh-min-nan", "nan", "als"])
def test_a_language_without_a_table_has_empty_sections(code: str) -> None:
    assert section(code, "sentences") == {}


def test_an_edition_in_a_chinese_language_has_template_names_of_its_own() -> None:
    assert section("zh-yue", "sentences") == section("zh", "sentences")
    assert section("zh-yue", "wikitext") == section("zh-classical", "wikitext") == {}
