"""The reader on an excerpt of a real dump."""

import re
from pathlib import Path

import pytest

from benchmarks.wikitext import Pages, read_wikitext, sample_dump, wikitext_f1
from preprocessing.wikitext import WikitextOptions, extract

MARKUP = ("{{", "}}", "[[", "]]", "<ref", "</", "''", "{|", "|}", "&nbsp;", "__NOTOC__")


@pytest.fixture(scope="module")
def pages(request: pytest.FixtureRequest) -> Pages:
    try:
        return read_wikitext(sample_dump())
    except FileNotFoundError:
        shared_data: Path = request.getfixturevalue("shared_data")
        return read_wikitext(shared_data / "wikipedia" / "enwiki-sample-pages-articles.xml.bz2")


@pytest.mark.parametrize("keep_lists", [True, False])
def test_no_markup_is_left(pages: Pages, keep_lists: bool) -> None:
    options = WikitextOptions(keep_lists=keep_lists)
    found = [paragraph for text in pages.texts for paragraph in extract(text, options, pages.site).paragraphs]
    assert len(found) > 3_000
    assert [(mark, paragraph[:200]) for paragraph in found for mark in MARKUP if mark in paragraph] == []
    assert [paragraph for paragraph in found if paragraph != paragraph.strip() or re.search(r"\s{2}", paragraph)] == []


def test_pages_of_several_paragraphs_do_not_vanish(pages: Pages) -> None:
    options = WikitextOptions(keep_lists=True)
    assert all(extract(text, options, pages.site).paragraphs for text in pages.texts)


@pytest.mark.slow
def test_words_agree_with_mwparserfromhell(pages: Pages) -> None:
    pytest.importorskip("mwparserfromhell")
    # The shorter pages, since the reference takes long; the benchmark takes all. Precision is below recall because
    # numbers and quotations in templates are kept.
    shorter = sorted(pages.texts, key=len)[: len(pages.texts) // 2]
    quality = wikitext_f1(Pages(tuple(shorter), pages.site))
    assert quality["f1"] >= 0.98
    assert quality["recall"] >= 0.99
