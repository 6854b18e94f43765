"""Articles from hand-made dumps: which pages count, and that no cut loses or doubles a page."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

from preprocessing.sources.wikipedia.articles import split_points
from preprocessing.wikitext import WikitextOptions


def test_what_is_an_article(dumps: Any) -> None:
    data = dumps.dump(
        dumps.page(1, "An [[article]] &amp; more &lt;b&gt;text&lt;/b&gt; &amp;amp; &quot;so&quot; &#65;."),
        dumps.page(2, "#REDIRECT [[Page 1]]", extra='<redirect title="Page 1" />'),
        dumps.page(3, "Talk.", title="Talk:Page 1", namespace="1"),
        dumps.page(4, "{&quot;a&quot;: 1}", model="json"),
        dumps.page(5, "'''Five''' may be:\n* [[A]]\n{{disambiguation}}"),
        dumps.page(6, "[[Berkas:A.png]] [[Flokkur:B]]"),
        dumps.page(7, ""),
        dumps.page(8, "Accents é, 中 and 🐕 last.", title="Ca&amp;fé"),
    )
    articles, tally = dumps.read(dumps.write(data, "dump.xml"))
    assert [(article.locator, article.title, article.paragraphs) for article in articles] == [
        ("1", "Page 1", ['An article & more text & "so" A.']),
        ("8", "Ca&fé", ["Accents é, 中 and 🐕 last."]),
    ]
    assert tally.documents_in == 8
    assert tally.dropped == {"disambiguation": 1, "empty": 2, "namespace": 1, "not_wikitext": 1, "redirect": 1}


def test_disambiguation_pages_are_kept_on_request(dumps: Any) -> None:
    data = dumps.dump(
        dumps.page(5, "'''Five''' may be:\n* [[A]]\n{{hndis}}"), dumps.page(6, "Six.", title="Six (disambiguation)")
    )
    path = dumps.write(data, "dump.xml")
    assert dumps.read(path)[0] == []
    assert len(dumps.read(path, options=WikitextOptions(keep_disambiguation=True))[0]) == 2


def test_a_tag_that_asks_for_disambiguation_makes_no_disambiguation_page(dumps: Any) -> None:
    data = dumps.dump(dumps.page(1, "Born in [[Springfield]]{{disambiguation needed|date=May 2020}}."))
    assert len(dumps.read(dumps.write(data, "dump.xml"))[0]) == 1


def test_old_dumps_without_namespace_numbers(dumps: Any) -> None:
    data = dumps.dump(
        dumps.page(1, "One.", namespace=None), dumps.page(2, "Two.", title="Template:Two", namespace=None)
    )
    articles, tally = dumps.read(dumps.write(data, "dump.xml"))
    assert [article.locator for article in articles] == ["1"]
    assert tally.dropped == {"namespace": 1}


def test_several_revisions_give_the_last(dumps: Any) -> None:
    two = dumps.page(1, "Old.").replace(
        "</page>", '<revision><id>5</id><text xml:space="preserve">New.</text></revision></page>'
    )
    assert dumps.read(dumps.write(dumps.dump(two)))[0][0].paragraphs == ["New."]


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("compression", COMPRESS)
def test_compressions_hold_the_same_articles(dumps: Any, compression: str) -> None:
    plain, _ = dumps.read(dumps.write(dumps.dump(*dumps.pages)))
    packed, _ = dumps.read(dumps.write(COMPRESS[compression](dumps.dump(*dumps.pages)), "dump.packed"), compression)
    assert len(plain) == len(dumps.pages)
    assert packed == plain


@pytest.mark.parametrize("compression", COMPRESS)
def test_many_streams_in_one_file(dumps: Any, compression: str) -> None:
    data = dumps.dump(*dumps.pages)
    packed = b"".join(COMPRESS[compression](data[start : start + 3001]) for start in range(0, len(data), 3001))
    articles, _ = dumps.read(dumps.write(packed, "dump.packed"), compression)
    assert articles == dumps.read(dumps.write(data, "dump.xml"))[0]


@pytest.mark.parametrize("split_bytes", [1, 7, 100, 1_000, 5_000, 10**9])
def test_plain_xml_is_cut_anywhere(dumps: Any, split_bytes: int) -> None:
    path = dumps.write(dumps.dump(*dumps.pages[:6] if split_bytes < 100 else dumps.pages))
    ranges = split_points(str(path), split_bytes)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == path.stat().st_size
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    assert dumps.read(path, ranges=ranges)[0] == dumps.read(path)[0]


def multistream(dumps: Any, pages_per_stream: int) -> bytes:
    """As Wikimedia writes it: the head, then streams of whole pages, then the end."""
    streams = [
        dumps.head,
        *("".join(dumps.pages[i : i + pages_per_stream]) for i in range(0, len(dumps.pages), pages_per_stream)),
        dumps.tail,
    ]
    return b"".join(bz2.compress(stream.encode()) for stream in streams)


@pytest.mark.parametrize("pages_per_stream", [1, 7, 100])
@pytest.mark.parametrize("split_bytes", [50, 500, 10**9])
def test_multistream_is_cut_between_streams(dumps: Any, pages_per_stream: int, split_bytes: int) -> None:
    path = dumps.write(multistream(dumps, pages_per_stream), "dump.xml.bz2")
    ranges = split_points(str(path), split_bytes)
    if split_bytes == 50 and pages_per_stream == 1:
        assert len(ranges) > 50
    assert (
        dumps.read(path, "bz2", ranges)[0]
        == dumps.read(path, "bz2")[0]
        == dumps.read(dumps.write(dumps.dump(*dumps.pages), "a"))[0]
    )


@pytest.mark.parametrize("stream_bytes", [5, 100, 1_003])
def test_streams_that_end_inside_pages(dumps: Any, stream_bytes: int) -> None:
    # Parallel compressors cut by size: a page, even the letters of <page>, may be spread over streams.
    data = dumps.dump(*dumps.pages[:4] if stream_bytes == 5 else dumps.pages)
    packed = b"".join(bz2.compress(data[i : i + stream_bytes]) for i in range(0, len(data), stream_bytes))
    path = dumps.write(packed, "dump.xml.bz2")
    ranges = split_points(str(path), 300)
    assert len(ranges) > 10
    assert dumps.read(path, "bz2", ranges)[0] == dumps.read(dumps.write(data, "a"))[0]


def test_a_single_stream_is_one_range(dumps: Any) -> None:
    path = dumps.write(bz2.compress(dumps.dump(*dumps.pages)), "dump.xml.bz2")
    assert split_points(str(path), 100) == [(0, path.stat().st_size)]


def test_the_real_excerpt(dumps: Any, shared_data: Path) -> None:
    path = shared_data / "wikipedia" / "enwiki-sample-pages-articles.xml.bz2"
    articles, tally = dumps.read(path, "bz2")
    assert tally.documents_in == 206
    assert tally.dropped == {"disambiguation": 8, "empty": 1, "namespace": 1, "redirect": 99}
    assert len({article.locator for article in articles}) == len(articles) == 97
    assert "Anarchism" in {article.title for article in articles}
    assert tally.lost_templates["cite book"] > 0
    assert "convert" not in tally.lost_templates
