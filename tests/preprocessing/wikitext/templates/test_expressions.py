"""Expressions of the tables: each means something, and what means nothing is refused by name."""

import pytest

from preprocessing.languages import LANGUAGES
from preprocessing.wikitext.edition import Edition, edition, international
from preprocessing.wikitext.templates.expressions import NAMES, ExpressionError, compile_expression


def shown(expression: str, raw: list[str], language: str = "en", star: str = "") -> str | None:
    render = compile_expression(expression, edition(language), star)
    return None if render is None else render(raw)


@pytest.mark.parametrize("language", sorted(language for language in LANGUAGES if edition(language).templates))
def test_every_expression_of_a_table_means_something(language: str) -> None:
    table = edition(language)
    assert len(table.templates) >= 15
    for expression in (*table.templates, *international().templates):
        compile_expression(expression, table)


@pytest.mark.parametrize(
    ("expression", "raw", "text"),
    [
        ("first", ["a", "b"], "a"),
        ("fourth", ["a", "b", "c", "d"], "d"),
        ("last", ["a", "b"], "b"),
        ("joined", ["a", "", "b"], "ab"),
        ('joined ", "', ["a", "", "b"], "a, b"),
        ("constant '\"'", ["a"], '"'),
        ("constant `'\"`", [], "'\""),
        ('constant ""', [], ""),
        ("drop", ["a"], None),
        ('money "€"', ["5"], "€5"),
        ('money "€"', [], "€"),
        ('ship-of "HMS"', ["Victory", "1765"], "HMS Victory (1765)"),
        ('circa "c."', ["1", "2"], "c. 1 – c. 2"),
        ('span "r."', ["1509", "1547"], "r. 1509–1547"),
        ('quotation-of "treść"', ["treść=Tak"], "\n\nTak\n\n"),
        ('century "siglo" "a. C." "d. C."', ["XIX", "", "S"], "Siglo XIX"),
        ("interlanguage", ["de", "Name", "Titel"], "Name"),
        ("interlanguage", ["Name", "de", "Titel", "lt=label"], "label"),
        ("{1}[ ({2})]", ["a", "b"], "a (b)"),
    ],
)
def test_what_expressions_show(expression: str, raw: list[str], text: str | None) -> None:
    assert shown(expression, raw) == text


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("frist", "there is no renderer 'frist'; the nearest is 'first'"),
        ("date dmx", "the nearest is 'date dmy'"),
        ("", "there is no renderer ''"),
        ("constant", "another number of texts than constant takes"),
        ("constant –", "another number of texts"),
        ('constant "a" "b"', "another number of texts"),
        ("convert 'x'", "another number of texts"),
        ("{1", "is no pattern"),
        ("{1:octal}", "there is no way 'octal' to write an argument"),
        ("__import__('os')", "there is no renderer"),
    ],
)
def test_what_means_nothing_is_refused(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=r"pattern|renderer|texts") as caught:
        compile_expression(expression, Edition())
    assert message in str(caught.value)


def test_the_list_of_names_is_complete() -> None:
    texts = {
        "constant": 1,
        "money": 1,
        "ship-of": 1,
        "circa": 1,
        "span": 1,
        "quotation-of": 1,
        "century": 3,
        "as-of": 4,
    }
    for name in NAMES:
        compile_expression(name + ' "x"' * texts.get(name, 0), Edition())
