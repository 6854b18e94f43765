"""Dumps as other programs write or rewrite them: what means the same is read as the same."""

from pathlib import Path
from typing import Any

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.lines import NO_RECORDS
from preprocessing.sources.stored_stream import StoredStream
from preprocessing.sources.wikipedia.pages import MalformedPageError, Page, parse_page, read_pages

TEXT = "The harbour lies on the north coast."


@pytest.mark.parametrize("tag", ["<page >", '<page xml:space="preserve">', "<page\n  id='3'\n>", "<page\t>"])
def test_a_page_may_have_attributes(dumps: Any, tag: str) -> None:
    page = dumps.page(1, TEXT).replace("<page>", tag)
    articles, tally = dumps.read(dumps.write(dumps.dump(page, page.replace(">1<", ">2<"))))
    assert [article.locator for article in articles] == ["1", "2"]
    assert not tally.dropped


def test_other_tags_that_begin_alike_are_no_pages(dumps: Any) -> None:
    articles, tally = dumps.read(dumps.write(dumps.dump("<pages>", dumps.page(1, TEXT), "</pages>")))
    assert [article.locator for article in articles] == ["1"]
    assert not tally.dropped


def test_cut_anywhere_pages_with_attributes_are_the_same(tmp_path: Path) -> None:
    pages = [b"<page n='%d'><title>T</title><id>%d</id><text>x</text></page>\n" % (n, n) for n in range(1, 4)]
    data = b"<mediawiki>\n" + b"".join(pages) + b"</mediawiki>"
    path = tmp_path / "d.xml"
    path.write_bytes(data)
    for cut in range(1, len(data)):
        found: list[Page | MalformedPageError] = []
        for start, end in ((0, cut), (cut, len(data))):
            with StoredStream(str(path), path.name, "", start, end) as stream:
                found += read_pages(stream, 1 << 20)
        assert [page.locator for page in found] == ["1", "2", "3"], cut


REVISION = b"<revision><id>99</id><timestamp>%s</timestamp><text>%s</text></revision>"


def test_the_number_is_the_page_s_own_wherever_it_stands() -> None:
    revision = REVISION % (b"2020-01-01T00:00:00Z", b"x")
    page = parse_page(b"<title>T</title>" + revision + b"<ns>4</ns><id>\n 7 </id>")
    assert (page.locator, page.namespace) == ("7", 4)
    with pytest.raises(MalformedPageError, match="no <id>"):
        parse_page(b"<title>T</title>" + revision)


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (("2019-05-01T00:00:00Z", "2020-01-01T00:00:00Z"), "second"),
        (("2020-01-01T00:00:00Z", "2019-05-01T00:00:00Z"), "first"),
        (("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"), "second"),
        (("2020-01-01T00:00:00Z", "yesterday"), "second"),
    ],
)
def test_of_several_revisions_the_newest_is_the_text(times: tuple[str, str], text: str) -> None:
    revisions = [REVISION % (time.encode(), name) for time, name in zip(times, (b"first", b"second"), strict=True)]
    page = parse_page(b"<title>T</title><id>7</id>" + b"".join(revisions))
    assert (page.text(), page.earlier_revisions) == (text, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('<text deleted="deleted" bytes="300"></text>', "deleted"),
        ('<text bytes="300"></text>', "malformed"),
        ('<text bytes="0"></text>', "empty"),
    ],
)
def test_an_empty_text_is_one_however_it_is_closed(dumps: Any, text: str, reason: str) -> None:
    page = f"<page><title>T</title><ns>0</ns><id>1</id><revision>{text}</revision></page>"
    articles, tally = dumps.read(dumps.write(dumps.dump(page)))
    assert (articles, tally.dropped) == ([], {reason: 1})


@pytest.mark.parametrize(("model", "is_read"), [(" wikitext\n", True), ("", True), ("css", False)])
def test_the_model_may_stand_in_blanks(dumps: Any, model: str, is_read: bool) -> None:
    articles, tally = dumps.read(dumps.write(dumps.dump(dumps.page(1, TEXT, model=model))))
    assert (len(articles), tally.counters["dropped.not_wikitext"]) == (is_read, not is_read)


def test_names_of_namespaces_in_single_quotes(dumps: Any) -> None:
    page = dumps.page(1, TEXT, title="Flokkur:Hafnir", namespace=None)
    articles, tally = dumps.read(dumps.write(dumps.dump(page).replace(b'"', b"'")))
    assert (articles, tally.dropped) == ([], {"namespace": 1})


@pytest.mark.parametrize(
    ("title", "is_article"),
    [("Talk:Harbour", False), ("User_talk:Anna", False), ("Category:Harbours", False), ("Star Trek: A film", True)],
)
def test_without_names_of_namespaces_those_of_every_wiki_count(dumps: Any, title: str, is_article: bool) -> None:
    dump = "<mediawiki>" + dumps.page(1, TEXT, title=title, namespace=None) + "</mediawiki>"
    articles, tally = dumps.read(dumps.write(dump.encode()))
    assert (len(articles), tally.counters["dropped.namespace"]) == (is_article, not is_article)


@pytest.mark.parametrize("content", ["", "<logitem><id>3</id></logitem>"])
def test_a_dump_without_pages_is_said(dumps: Any, content: str) -> None:
    articles, tally = dumps.read(dumps.write(dumps.dump(content)))
    assert (articles, tally.counters) == ([], {NO_RECORDS: 1})
    assert [place.reason for place in tally.damage] == ["no pages"]


def test_prefixes_of_tags_are_said(dumps: Any) -> None:
    data = dumps.dump(dumps.page(1, TEXT)).replace(b"</", b"</ns0:").replace(b"<mediawiki", b"<ns0:mediawiki")
    with pytest.raises(PreprocessingError, match="has the prefix 'ns0:' before the names of its tags"):
        dumps.read(dumps.write(data))
