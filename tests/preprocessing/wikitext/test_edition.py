"""Tables of the editions: they load, and hold what can be looked up."""

import pytest

from preprocessing.languages import LANGUAGES
from preprocessing.wikitext.disambiguation import is_disambiguation
from preprocessing.wikitext.edition import Edition, edition, international
from preprocessing.wikitext.links import Site, is_hidden
from preprocessing.wikitext.templates.expansion import canonical

FIRST_CLASS = sorted(language for language in LANGUAGES if edition(language).templates)


@pytest.mark.parametrize("language", FIRST_CLASS)
def test_a_table_of_first_class(language: str) -> None:
    table = edition(language)
    assert len(table.dates.months) == 12
    assert len(table.dates.months_alone) in (0, 12)
    assert table.disambiguation_titles
    assert sum(map(len, table.templates.values())) >= 40
    assert language == "en" or (table.file and table.category)


@pytest.mark.parametrize("table", [*map(edition, sorted(LANGUAGES)), international()])
def test_names_can_be_found(table: Edition) -> None:
    names = [name for group in table.templates.values() for name in group]
    assert [name for name in names if not name.strip() or "|" in name] == []
    small = [name for name in names if "?" not in name and name not in ("=", "...")]
    assert [name for name in small if canonical(name) != name.replace("_", " ")] == []
    assert len({name.replace("_", " ") for name in names}) >= len(names) - 1
    assert all(word.startswith(("#", "＃")) for word in table.redirect)


@pytest.mark.parametrize("language", [*sorted(LANGUAGES), "nb"])
def test_links_to_files_and_categories_show_nothing(language: str) -> None:
    site, table = Site(language=language), edition(language)
    for name in (*table.file, *table.category, "File", "Category", "Image"):
        assert is_hidden(f"{name}:x", site)


def test_a_namespace_is_one_in_its_own_edition() -> None:
    assert is_hidden("Datei:x", Site(language="de"))
    assert not is_hidden("Datei:x", Site(language="fr"))
    assert is_hidden("Berkas:x", Site.from_namespaces({6: "Berkas"}, "id"))


@pytest.mark.parametrize("language", [*sorted(LANGUAGES), "nb"])
def test_disambiguation(language: str) -> None:
    for name in edition(language).disambiguation:
        assert is_disambiguation("X", "", {canonical(name): 9}, language)
    for ending in edition(language).disambiguation_titles:
        assert is_disambiguation(f"X ({ending})", "", {}, language)
    assert is_disambiguation("X", "", ["disambiguation"], language)
    assert not is_disambiguation("X", "", ["infobox"], language)


def test_a_sign_of_disambiguation_is_one_in_its_own_edition() -> None:
    assert is_disambiguation("X", "", ["пояснение"], "bg")
    assert not is_disambiguation("X", "", ["пояснение"], "ru")
    assert not is_disambiguation("X", "", ["dp"], "en")


def test_an_unknown_language_has_an_empty_table() -> None:
    assert edition("xx") == Edition()
    assert edition("") == edition("en") == edition("simple")
    assert edition("zh-hant") == edition("zh")
