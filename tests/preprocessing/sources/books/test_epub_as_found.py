"""Chapters of EPUB files as they are found in the world, read as reading systems read them."""

from pathlib import Path

import pytest

from preprocessing.documents.bad_share import BadShare
from preprocessing.errors import PreprocessingError
from preprocessing.sources.split import Split
from tests.preprocessing.sources.books.epub_files import PAGE, book, chapters, package, read

CHINESE, KOREAN, JAPANESE = (
    "一条大河波浪宽，风吹稻花香两岸。",
    "동해 물과 백두산이 마르고 닳도록.",
    "吾輩は猫である。名前はまだ無い。",
)


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("GBK", "gbk", CHINESE),
        ("gb2312", "gb18030", CHINESE + "镕"),  # what says GB 2312 holds more than that
        ("Big5", "big5", "天地玄黃，宇宙洪荒。"),
        ("EUC-KR", "euc-kr", KOREAN),
        ("ks_c_5601-1987", "cp949", KOREAN + "똠"),
        ("Shift_JIS", "cp932", JAPANESE + "①"),
        ("EUC-JP", "euc-jp", JAPANESE),
        ("ISO-2022-JP", "iso2022_jp", JAPANESE),
        ("windows-1251", "cp1251", "Скажи-ка, дядя, ведь не даром."),
        ("ISO-8859-1", "cp1252", "Größe – “Maß”"),
        ("UTF-16", "utf-16", CHINESE),
        ("UTF-16", "utf-8", CHINESE),  # what can be read byte by byte is not
        ("x-nobody-knows", "utf-8", CHINESE),
        ("GBK", "utf-8", CHINESE),  # a declaration that was left over
        ("rot13", "utf-8", "Gur frperg."),
    ],
)
def test_encodings_of_chapters(tmp_path: Path, declared: str, codec: str, text: str) -> None:
    chapter = f'<?xml version="1.0" encoding="{declared}"?>\n{PAGE.format(f"<p>{text}</p>")}'.encode(codec)
    found, tally = read(tmp_path, book({"1.xhtml": chapter, "2.xhtml": PAGE.format("<p>Two.</p>")}))
    assert found == [text, "Two."]
    assert tally.damage == []


@pytest.mark.parametrize(
    "chapter",
    [
        '\n<?xml version="1.0"?>\n' + PAGE.format("<p>One &amp; two.</p>"),
        "\ufeff \t<?xml version='1.0'?>" + PAGE.format("<p>One &amp; two.</p>"),
        '<?xml version="1.0"?><!-- <p> --><!DOCTYPE html>' + PAGE.format("<p>One &amp; two.</p>"),
        '<!DOCTYPE html [<!ENTITY nbsp "&#160;"><!ENTITY x "y">]>' + PAGE.format("<p>One&nbsp;&amp; two.</p>"),
        PAGE.format("<p>One & two."),
        "<p>One &amp; two.<br><img src=x>",
        "<html><head><title/><script src='a'/></head><body><p>One &amp; two.</b></p>",
        "<h:html xmlns:h='http://www.w3.org/1999/xhtml'><h:body><h:p>One &amp; two.</h:p></h:body></h:html>",
        PAGE.format("<p><![CDATA[One & two.]]></p>"),
        PAGE.format("<p><![CDATA[One & two.]]></p><br>"),
        PAGE.format("<p>One &amp; two.\x0b</p>"),
        PAGE.format("<p>One &amp; two.</p>").encode("utf-16"),
        PAGE.format("<p>One &amp; two.</p>").encode("utf-16-be"),
    ],
)
def test_forms_of_chapters(tmp_path: Path, chapter: str | bytes) -> None:
    assert read(tmp_path, book({"1.xhtml": chapter}))[0] == ["One & two."]


def test_tag_soup_is_counted(tmp_path: Path) -> None:
    _, tally = read(tmp_path, book({"1.xhtml": "<p>one<p>two", "2.xhtml": PAGE.format("<p>three</p>")}))
    assert tally.counters["books.tag_soup_chapters"] == 1


@pytest.mark.parametrize(
    "kind", ["text/x-oeb1-document", "text/html", "application/xml", "", "text/plain", "image/png"]
)
def test_media_types(tmp_path: Path, kind: str) -> None:
    data = book({"1.xhtml": PAGE.format("<p>One.</p>")}, package("1.xhtml", kind=kind))
    assert read(tmp_path, data)[0] == ["One."]


def test_media_in_the_spine_is_counted(tmp_path: Path) -> None:
    items = '<item id="p" href="p.png" media-type="image/png"/><item id="s" href="s.svg" media-type="image/svg+xml" '
    items += 'fallback="f"/><item id="f" href="f.xhtml" media-type="application/xhtml+xml"/>'
    items += '<item id="t" href="t.txt" media-type="text/plain"/>'
    spine = '<itemref idref="i0"/><itemref idref="p"/><itemref idref="s"/><itemref idref="t"/>'
    chapters = {"1.xhtml": PAGE.format("<p>One.</p>"), "f.xhtml": PAGE.format("<p>Instead.</p>")}
    data = book(chapters, package("1.xhtml", spine=spine, more=items), **{"O/p.png": b"\x89PNG", "O/t.txt": "plain"})
    found, tally = read(tmp_path, data)
    assert found == ["One.", "Instead."]
    assert tally.counters["books.left_out.media"] == 1
    assert [(place.locator, place.reason) for place in tally.damage] == [
        ("b.epub#O/t.txt", "it is of the type 'text/plain', and holds no page")
    ]


def test_a_book_that_lost_chapters_weighs_once(tmp_path: Path) -> None:
    spine = '<itemref idref="i0"/><itemref idref="no"/><itemref idref="where"/>'
    _, tally = read(tmp_path, book(chapters(1), package("0.xhtml", spine=spine)))
    assert tally.counters["books.malformed_chapters"] == 2
    assert {name: amount for name, amount in tally.counters.items() if name.startswith("damaged.")} == {
        "damaged.books": 1
    }


def test_a_book_of_which_no_chapter_can_be_read_is_malformed(tmp_path: Path) -> None:
    found, tally = read(tmp_path, book({"1.xhtml": "no tag", "2.xhtml": "none"}))
    assert (found, tally.dropped, tally.unaccounted) == ([], {"malformed": 1}, 0)
    assert "2 of them are damaged or missing" in tally.rejections[0].reason
    share = BadShare()
    share.add(Split("books", "b.epub", "b.epub", 0, 1), tally)
    assert share.plain(Split("books", "b.epub", "b.epub", 0, 1), tally)["bad"] == 1
    with pytest.raises(PreprocessingError, match="--max-bad-share"):
        share.enforce(0.0)


def test_a_chapter_above_the_limit_of_a_page_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.sources.books.epub.LARGEST_PAGE", 1 << 20)
    pages = {"1.xhtml": PAGE.format("<p>One.</p>"), "2.xhtml": PAGE.format("<p>" + "two " * (1 << 18) + "</p>")}
    found, tally = read(tmp_path, book(pages))
    assert (found, tally.counters["books.chapters_dropped.too_large"]) == (["One."], 1)
    assert tally.damage[0].reason == "it unpacks to 1.0 MiB, and more than 1.0 MiB are not read"


def test_a_page_of_links_is_contents_and_an_empty_one_is_none(tmp_path: Path) -> None:
    links = "".join(f'<p><a href="1.xhtml#c{n}">Chapter {n}</a></p>' for n in range(3))
    pages = {
        "0.xhtml": PAGE.format(f"<h2>Contents</h2>{links}"),
        "1.xhtml": PAGE.format("<p>One.</p>"),
        "2.xhtml": "\n",
    }
    found, tally = read(tmp_path, book(pages))
    assert found == ["One."]
    assert (tally.counters["books.left_out.contents"], tally.counters["books.left_out.empty"]) == (1, 1)


def test_the_encoding_of_a_chapter_is_counted_and_a_guess_noted(tmp_path: Path) -> None:
    page = PAGE.format("<p>a café, a fiancé and a naïve rôle in a plain English text</p>").encode("cp1252")
    found, tally = read(tmp_path, book({"1.xhtml": page}))
    assert found == ["a café, a fiancé and a naïve rôle in a plain English text"]
    assert (tally.counters["encodings.chapters.cp1252"], tally.counters["encodings.guessed"]) == (1, 1)
    assert [note.locator for note in tally.notes] == ["b.epub#O/1.xhtml"]


def test_an_initial_that_is_a_picture(tmp_path: Path) -> None:
    page = PAGE.format(
        '<p><img class="dropcap" alt="T" src="t.png"/>he clocks <img alt="A view" src="v.png"/>struck.</p>'
    )
    assert read(tmp_path, book({"1.xhtml": page}))[0] == ["The clocks struck."]


def test_a_book_without_a_chapter_is_counted(tmp_path: Path) -> None:
    _, tally = read(tmp_path, book({"1.xhtml": ""}), document="chapter")
    assert (tally.documents_in, tally.dropped) == (1, {"empty": 1})
