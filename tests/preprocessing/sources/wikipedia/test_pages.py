"""Pages of a dump: which part of a page is its text, and that cutting a dump changes nothing, however damaged it is."""

import bz2
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.stored_stream import StoredStream, TruncatedInputError
from preprocessing.sources.wikipedia.articles import read_articles
from preprocessing.sources.wikipedia.pages import MalformedPageError, parse_page, read_pages
from preprocessing.tally import Tally
from preprocessing.wikitext.options import WikitextOptions

PAGE = b"<title>T</title><ns>0</ns><id>7</id><revision><id>1</id><model>wikitext</model>%s</revision>"
LIMIT = 1 << 20


def text_of(content: bytes) -> str:
    return parse_page(PAGE % content).text()


# The text of a page --------------------------------------------------------------------------------------------------

MEDIA_SLOT = (
    b"<content><role>mediainfo</role><origin>2</origin><model>wikibase-mediainfo</model>"
    b"<format>application/json</format><text bytes='2'>{}</text></content>"
)
MAIN_SLOT = b"<content><role>main</role><model>wikitext</model><text bytes='4'>main</text></content>"


@pytest.mark.parametrize(
    "content",
    [
        b"<text bytes='4'>main</text>" + MEDIA_SLOT,
        MEDIA_SLOT + b"<text bytes='4'>main</text>",
        MEDIA_SLOT + MAIN_SLOT,
        MAIN_SLOT + MEDIA_SLOT,
        MEDIA_SLOT + MAIN_SLOT + MEDIA_SLOT.replace(b"mediainfo", b"other"),
        b"<text comment='a > b' bytes='4'>main</text>",
        b'<text\n  comment="<none"\n>x</text><text>main</text>'.replace(b"<none", b"none"),
        b"<text>main</text><!-- <text>old</text> -->",
        b"<text>ma<!-- note -->in</text>",
        b"<text><![CDATA[main]]></text>",
    ],
)
def test_the_main_slot_is_the_text(content: bytes) -> None:
    page = parse_page(PAGE.replace(b"<model>wikitext</model>", b"") % content)
    assert (page.text(), page.model) == ("main", "wikitext")


def test_model_and_text_are_those_of_one_slot() -> None:
    own = b"<model>json</model><text>{}</text>"
    assert parse_page(PAGE.replace(b"<model>wikitext</model>", b"") % (own + MAIN_SLOT)).model == "json"
    slots = MEDIA_SLOT + MAIN_SLOT.replace(b"wikitext", b"css")
    assert parse_page(PAGE.replace(b"<model>wikitext</model>", b"") % slots).model == "css"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"a&#x1F600;&#128512;", "a\U0001f600\U0001f600"),
        (b"c&#x0000061;t &#00000000097;", "cat a"),
        (b"&#38;lt; &amp;#38;lt;", "&lt; &#38;lt;"),
        (b"one\r\ntwo\rthree&#13;\n", "one\ntwo\nthree\r\n"),
        (b"<![CDATA[a < b &amp; ]] c]]>&amp;", "a < b &amp; ]] c&"),
        (b"<![CDATA[<!-- kept -->]]><!-- <![CDATA[gone]]> -->", "<!-- kept -->"),
        ("\ufeffmark".encode(), "\ufeffmark"),
    ],
)
def test_how_text_may_be_written(written: bytes, text: str) -> None:
    assert text_of(b"<text>%s</text>" % written) == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<text bytes='91' />", r"its <text> is empty, and had 91 bytes \(a dump of stubs holds no text\)"),
        (b"<texts>main</texts>", "it has no <text>"),
        (b"<text bytes='4'", "it has no <text>"),
        (b"<text>a <!-- b</text>", 'an unescaped "<"'),
        (b"<text>&#xD800;</text>", "forbidden character number"),
        (b"<text>&#x110000;</text>", "forbidden character number"),
        (b"<text>&#X61;</text>", "undefined entity"),
    ],
)
def test_what_is_no_text(content: bytes, reason: str) -> None:
    with pytest.raises(MalformedPageError, match=reason) as caught:
        text_of(content)
    assert caught.value.locator == "7"


def test_a_deleted_text_is_counted_as_such(dumps: Any) -> None:
    gone = dumps.page(1, "x").replace(">x</text>", ' deleted="deleted" />')
    empty = dumps.page(2, "").replace('bytes="0"', 'bytes="0" sha1="phoiac9h4m842xq45sp7s6u21eteeq1"')
    articles, tally = dumps.read(dumps.write(dumps.dump(gone, empty, dumps.page(3, "Words."))))
    assert [article.locator for article in articles] == ["3"]
    assert tally.dropped == {"deleted": 1, "empty": 1}


def test_of_a_history_the_last_revision_is_read(dumps: Any) -> None:
    page = dumps.page(5, "The last one.")
    start, end = page.index("<revision>"), page.index("</page>")
    last = page[start:end]
    older = last.replace("wikitext", "json").replace("The last one.", "An old one.")
    upload = "<upload><filename>a.ogg</filename><contents>&lt;text&gt;</contents></upload>\n"
    history = page[:start] + older + older + last + upload + page[end:]
    (article,), tally = dumps.read(dumps.write(dumps.dump(history)))
    assert article.paragraphs == ["The last one."]
    assert tally.counters["wikipedia.earlier_revisions"] == 2


@pytest.mark.parametrize("number", ["9" * 5000, "1_0", "०", "0x1", ""])
def test_no_number_of_a_namespace(dumps: Any, number: str) -> None:
    _, tally = dumps.read(dumps.write(dumps.dump(dumps.page(1, "Words.", namespace=number))))
    assert tally.dropped == {"malformed": 1}


def test_a_dump_behind_another_is_read_too(dumps: Any) -> None:
    first, second = dumps.dump(dumps.page(1, "One.")), dumps.dump(dumps.page(2, "Two."))
    articles, _ = dumps.read(dumps.write(b'\xef\xbb\xbf<?xml version="1.0"?>\n' + first + second))
    assert [article.locator for article in articles] == ["1", "2"]
    cut = second[: second.index(b"</mediawiki>")]
    with pytest.raises(TruncatedInputError, match="without </mediawiki>"):
        dumps.read(dumps.write(first + cut))


def test_lines_may_end_as_on_windows(dumps: Any) -> None:
    plain = dumps.read(dumps.write(dumps.dump(*dumps.pages)))[0]
    assert dumps.read(dumps.write(dumps.dump(*dumps.pages).replace(b"\n", b"\r\n")))[0] == plain


# Where a dump is cut -------------------------------------------------------------------------------------------------

Found = tuple[list[tuple[str, str]], list[str]]


def pages_of(path: Path, ranges: list[tuple[int, int]], compression: str = "") -> Found:
    """(id, text or reason) of all pages of all ranges, and what was wrong with the file."""
    found, faults = [], []
    for start, end in ranges:
        with StoredStream(str(path), path.name, compression, start, end) as stream:
            try:
                for page in read_pages(stream, LIMIT):
                    try:
                        if isinstance(page, MalformedPageError):
                            raise page
                        found.append((page.locator, page.text()))
                    except MalformedPageError as error:
                        found.append((error.locator, error.reason))
            except PreprocessingError as error:
                faults.append(str(error))
    return found, faults


def small_page(number: int, text: str = "") -> bytes:
    revision = f"<revision><text>{text or 'w' * number}</text></revision>"
    return f"<page><title>T</title><ns>0</ns><id>{number}</id>{revision}</page>".encode()


PARTS = st.sampled_from(
    [
        *(small_page(number) for number in range(1, 6)),
        small_page(6).removesuffix(b"</page>"),
        small_page(7).removeprefix(b"<page>"),
        small_page(8)[:30],
        *(b"\n", b"  \n\n", b"<page>", b"</page>", b"</mediawiki>", b"<mediawiki>", b"<!-- <page> -->", b"\xff\0"),
        *(b"<", b"<pa", b"ge>", b"</pag", b"</mediawi"),
    ]
)


@settings(
    max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(PARTS, max_size=12),
    st.sampled_from([b"</mediawiki>", b"</mediawiki>\n \n\n", b"", b"\n"]),
    st.lists(st.floats(0, 1), max_size=4),
    st.sampled_from([1, 2, 5, 13, 64, 1 << 20]),
)
def test_ranges_hold_what_the_whole_file_holds(
    tmp_path: Path, parts: list[bytes], tail: bytes, cuts: list[float], piece: int
) -> None:
    """Whatever is damaged, wherever it is cut, and in whatever pieces it is read."""
    data = b"<mediawiki>" + b"".join(parts) + tail
    path = tmp_path / "dump.xml"
    path.write_bytes(data)
    places = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    whole = pages_of(path, [(0, len(data))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("preprocessing.sources.stored_stream.PIECE_BYTES", piece)
        assert pages_of(path, list(itertools.pairwise(places))) == whole
    assert len(whole[0]) >= sum(part.startswith(b"<page>") for part in parts)


def test_every_cut_of_a_dump_with_damaged_pages(tmp_path: Path) -> None:
    data = b"<mediawiki>" + b"\n".join(
        [small_page(1), small_page(2)[:-7], small_page(3)[:-7], small_page(4), small_page(5)[6:], small_page(9)]
    )
    data += b"</mediawiki>  \n\n   \n"
    path = tmp_path / "dump.xml"
    path.write_bytes(data)
    whole = pages_of(path, [(0, len(data))])
    assert whole == (
        [
            ("1", "w"),
            ("2", "it has no </page>"),
            ("3", "it has no </page>"),
            ("4", "wwww"),
            ("", "a </page> without its <page>"),
            ("9", "w" * 9),
        ],
        [],
    )
    for cut in range(1, len(data)):
        assert pages_of(path, [(0, cut), (cut, len(data))]) == whole, cut


def test_a_range_does_not_fail_by_the_damage_of_the_next(tmp_path: Path) -> None:
    streams = [
        bz2.compress(part) for part in (b"<mediawiki>", small_page(1), small_page(2), small_page(3) + b"</mediawiki>")
    ]
    damaged = bytearray(streams[2])
    damaged[20:30] = bytes(10)
    streams[2] = bytes(damaged)
    path = tmp_path / "dump.xml.bz2"
    path.write_bytes(b"".join(streams))
    ends = [sum(map(len, streams[: number + 1])) for number in range(4)]
    ranges = list(zip([0, *ends], ends, strict=False))
    found = [pages_of(path, [one], "bz2") for one in ranges]
    assert [pages for pages, _ in found] == [[], [("1", "w")], [], [("3", "www")]]
    assert [len(faults) for _, faults in found] == [0, 0, 1, 0]


def test_of_a_page_that_reaches_into_damage_that_page_alone_is_lost(tmp_path: Path) -> None:
    first, second = (
        bz2.compress(b"<mediawiki>" + small_page(1) + small_page(2)[:60]),
        bytearray(bz2.compress(b"x" * 99)),
    )
    second[20:30] = bytes(10)
    path = tmp_path / "dump.xml.bz2"
    path.write_bytes(first + second)
    found, faults = pages_of(path, [(0, len(first)), (len(first), len(first) + len(second))], "bz2")
    assert found == [("1", "w"), ("2", "the file is damaged inside it")]
    assert len(faults) == 1
    assert "is damaged near byte" in faults[0]


def test_blank_space_behind_the_end_is_no_missing_end(dumps: Any) -> None:
    data = dumps.dump(dumps.page(1, "Words.")) + b"\n" * 500
    path = dumps.write(data)
    end = data.index(b"</mediawiki>")
    for cut in (end, end + 5, end + 12, end + 13, end + 100, len(data) - 1):
        articles, _ = dumps.read(path, ranges=[(0, cut), (cut, len(data))])
        assert [article.locator for article in articles] == ["1"]


def test_a_page_with_an_invalid_byte_is_named_and_the_rest_goes_on(dumps: Any) -> None:
    data = dumps.dump(*dumps.pages).replace(b"Page 7 has", b"Page \xff has")
    tally = Tally()
    path = dumps.write(data)
    articles = list(read_articles(dumps.range(path), WikitextOptions(), tally))
    assert len(articles) == len(dumps.pages) - 1
    assert [r.locator for r in tally.rejections] == ["dump.xml#7"]


def test_what_may_pass_by_itself_is_no_damage_of_a_page(tmp_path: Path) -> None:
    """Not even behind the range, where another range would meet damage."""
    data = b"<mediawiki>" + small_page(1) + small_page(2) + b"</mediawiki>"
    path = tmp_path / "dump.xml"
    path.write_bytes(data)

    class Unsteady(StoredStream):
        def read(self) -> bytes:
            if self.offset:
                self.beyond = True
                raise TransientError("the file server does not answer")
            return super().read()

    with (
        Unsteady(str(path), path.name, "", 0, len(data) - 50) as stream,
        pytest.raises(TransientError, match="does not answer"),
    ):
        list(read_pages(stream, LIMIT))
