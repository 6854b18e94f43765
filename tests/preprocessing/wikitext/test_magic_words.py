"""Magic words in the language of an edition, and only in it."""

import pytest

from preprocessing.tally import Tally
from preprocessing.wikitext import Site, WikitextOptions, extract, to_paragraphs
from preprocessing.wikitext.magic_words import is_redirect


@pytest.mark.parametrize(
    ("language", "switch"),
    [
        ("de", "__KEIN_INHALTSVERZEICHNIS__"),
        ("fr", "__AUCUNSOMMAIRE__"),
        ("es", "__SIN_TDC__"),
        ("pt", "__SEMTDC__"),
        ("nl", "__GEENINHOUD__"),
        ("pl", "__BEZSPISU__"),
        ("ru", "__БЕЗ_ОГЛАВЛЕНИЯ__"),
        ("uk", "__БЕЗ_ЗМІСТУ__"),
        ("sv", "__INGENINNEHÅLLSFÖRTECKNING__"),
        ("tr", "__İÇİNDEKİLERYOK__"),
        ("ja", "__目次非表示__"),
        ("zh", "__无目录__"),
        ("ko", "__목차숨김__"),
        ("ar", "__لافهرس__"),
        ("he", "__ללא_תוכן_עניינים__"),
        ("fa", "__بی‌فهرست__"),
    ],
)
def test_switches(language: str, switch: str) -> None:
    assert to_paragraphs(f"a {switch} b", WikitextOptions(), Tally(), Site(language=language)) == ["a b"]
    other = "en" if language != "en" else "de"
    assert to_paragraphs(f"a {switch} b", WikitextOptions(), Tally(), Site(language=other)) == [f"a {switch} b"]


@pytest.mark.parametrize(
    ("language", "variable"),
    [
        ("en", "PAGENAME"),
        ("de", "SEITENNAME"),
        ("de", "PAGENAME"),
        ("fr", "NOMPAGE"),
        ("ja", "ページ名"),
        ("he", "שם הדף"),
    ],
)
def test_the_name_of_the_page(language: str, variable: str) -> None:
    page = extract(f"a {{{{{variable}}}}} b", WikitextOptions(), Site(language=language), "The Title")
    assert (page.paragraphs, page.lost_templates) == (["a The Title b"], {})


def test_a_page_without_a_name_shows_none() -> None:
    page = extract("a {{PAGENAME}} b", WikitextOptions(), Site())
    assert (page.paragraphs, page.lost_templates) == (["a b"], {"pagename": 12})


@pytest.mark.parametrize(
    ("language", "text", "leads"),
    [
        ("de", "#WEITERLEITUNG [[A]]", True),
        ("fi", "#OHJAUS [[A]]", True),
        ("fi", "#uudelleenohjaus [[A]]", True),
        ("de", "#redirect:[[A]]", True),
        ("fr", " #REDIRECTION [[A]]", True),
        ("fr", "#WEITERLEITUNG [[A]]", False),
        ("ja", "＃転送 [[A]]", True),
        ("ru", "#перенаправление [[A]]", True),
        ("en", "# redirect [[A]]", False),
        ("en", "#REDIRECT is a word", False),
        ("en", "About #REDIRECT [[A]]", False),
    ],
)
def test_redirects(language: str, text: str, leads: bool) -> None:
    assert is_redirect(text, language) is leads


@pytest.mark.parametrize(
    ("language", "function", "shown"),
    [
        ("de", "{{KLEIN:ABC}}{{GROSS:abc}}", "abcABC"),
        ("fr", "{{MAJUS:abc}}{{INITMAJUS:abc}}", "ABCAbc"),
        ("es", "{{FORMATONÚMERO:1234}}", "1234"),
        ("ru", "{{БОЛЬШИМИ_БУКВАМИ:{{nobr|abc}}}}", "ABC"),
        ("de", "x{{MAJUS:abc}}", "x"),
    ],
)
def test_functions(language: str, function: str, shown: str) -> None:
    assert to_paragraphs(function, WikitextOptions(), Tally(), Site(language=language)) == [shown]
