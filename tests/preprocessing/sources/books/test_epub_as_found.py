"""EPUB files as they are found in the world, read as reading systems read them."""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from preprocessing.documents.bad_share import BadShare
from preprocessing.errors import PreprocessingError
from preprocessing.sources.books.archive import Archive
from preprocessing.sources.options import BookOptions, ReaderOptions
from preprocessing.sources.readers import reader_of
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

ROOT = '<rootfile full-path="{}" media-type="application/oebps-package+xml"/>'
CONTAINER = f"<container><rootfiles>{ROOT}</rootfiles></container>"
PAGE = "<html><head><title>not text</title></head><body>{}</body></html>"
XHTML = "application/xhtml+xml"
Members = dict[str, str | bytes]


def package(*chapters: str, spine: str | None = None, kind: str = XHTML, more: str = "") -> str:
    """A package file whose spine is these hrefs."""
    items = "".join(f'<item id="i{n}" href="{name}" media-type="{kind}"/>' for n, name in enumerate(chapters))
    references = "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters))) if spine is None else spine
    title = '<metadata><dc:title xmlns:dc="d">Book</dc:title></metadata>'
    return f"<package>{title}<manifest>{items}{more}</manifest><spine>{references}</spine></package>"


def make(members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def book(chapters: Mapping[str, str | bytes], opf: str | bytes = "", **more: str | bytes) -> bytes:
    opf = opf or package(*chapters)
    return make({"META-INF/container.xml": CONTAINER.format("O/c.opf"), "O/c.opf": opf, **_below(chapters), **more})


def _below(chapters: Mapping[str, str | bytes]) -> Members:
    return {f"O/{name}": body for name, body in chapters.items()}


def read(folder: Path, data: bytes, **books: object) -> tuple[list[str], Tally]:
    path = folder / "b.epub"
    path.write_bytes(data)
    tally = Tally()
    options = ReaderOptions(books=BookOptions(**books))  # type: ignore[arg-type]
    documents = list(reader_of("books")(Split("books", str(path), "b.epub", 0, len(data)), options, tally))
    return [paragraph for document in documents for paragraph in document.paragraphs], tally


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


@pytest.mark.parametrize(
    ("member", "reference"),
    [
        ("O/a b.xhtml", "a%20b.xhtml"),
        ("O/a%20b.xhtml", "a%20b.xhtml"),
        ("O/a%20b.xhtml", "a b.xhtml"),
        ("O/Text/One.XHTML", "text/one.xhtml"),
        ("O\\Text\\1.xhtml", "Text/1.xhtml"),
        ("O/Text/1.xhtml", "Text\\1.xhtml"),
        ("O/1.xhtml", "./1.xhtml"),
        ("O/1.xhtml", "x/../1.xhtml#start"),
        ("O/1.xhtml", "/O/1.xhtml"),
        ("1.xhtml", "../1.xhtml"),
        ("O/caf\u00e9.xhtml", "cafe\u0301.xhtml"),
        ("O/caf\u00e9.xhtml", "caf%C3%A9.xhtml"),
    ],
)
def test_names_of_members(tmp_path: Path, member: str, reference: str) -> None:
    opf = package(reference)
    page = PAGE.format("<p>One.</p>")
    data = make({"META-INF/container.xml": CONTAINER.format("O/c.opf"), "O/c.opf": opf, member: page})
    assert read(tmp_path, data)[0] == ["One."]


def test_the_exact_name_comes_first(tmp_path: Path) -> None:
    chapters = {name: PAGE.format(f"<p>{name}</p>") for name in ("A.xhtml", "a.xhtml", "a%20b.xhtml", "a b.xhtml")}
    assert read(tmp_path, book(chapters, package("a.xhtml", "a%20b.xhtml")))[0] == ["a.xhtml", "a b.xhtml"]


def test_names_in_utf8_that_are_not_marked_as_such(tmp_path: Path) -> None:
    name = "глава.xhtml"
    data = book({"GLAVA12345.xhtml": PAGE.format("<p>One.</p>")}, package(name))
    assert len(name.encode()) == len("GLAVA12345.xhtml")
    assert read(tmp_path, data.replace(b"GLAVA12345.xhtml", name.encode()))[0] == ["One."]


@pytest.mark.parametrize(
    "opf",
    [
        package("1.xhtml").replace("<package>", '\n<?xml version="1.0" encoding="UTF-8"?>\n<package>'),
        b'<?xml version="1.0" encoding="GBK"?>' + package("1.xhtml").replace(">Book<", ">书<").encode("gbk"),
        package("1.xhtml").replace(">Book<", ">B & C&nbsp;<"),
        "<o:package xmlns:o='http://www.idpf.org/2007/opf'>"
        + package("1.xhtml")
        .removeprefix("<package>")
        .replace("<", "<o:")
        .replace("<o:/", "</o:")
        .replace("o:dc:", "dc:"),
        package("1.xhtml").replace("</manifest>", ""),
        package("1.xhtml", spine=""),
        package("1.xhtml").encode("utf-16"),
    ],
)
def test_forms_of_package_files(tmp_path: Path, opf: str | bytes) -> None:
    assert read(tmp_path, book({"1.xhtml": PAGE.format("<p>One.</p>")}, opf))[0] == ["One."]


@pytest.mark.parametrize(
    "container",
    [
        None,
        "<container/>",
        "",
        CONTAINER.format("missing.opf"),
        CONTAINER.format("o/C.opf"),
        "<container><rootfiles><rootfile full-path='x.pdf' media-type='application/pdf'/>"
        "<rootfile full-path='O/c.opf' media-type='application/oebps-package+xml'/></rootfiles></container>",
        "\n" + CONTAINER.format("O/c.opf"),
    ],
)
def test_forms_of_containers(tmp_path: Path, container: str | None) -> None:
    members: Members = {"O/c.opf": package("1.xhtml"), "O/1.xhtml": PAGE.format("<p>One.</p>")}
    if container is not None:
        members["META-INF/container.xml"] = container
    assert read(tmp_path, make(members))[0] == ["One."]


def test_the_first_of_several_packages_counts(tmp_path: Path) -> None:
    roots = CONTAINER.format("O/c.opf").replace("</rootfiles>", '<rootfile full-path="P/c.opf"/></rootfiles>')
    members = {"META-INF/container.xml": roots, "P/c.opf": package("2.xhtml"), "P/2.xhtml": PAGE.format("<p>Two.</p>")}
    members |= {"O/c.opf": package("1.xhtml"), "O/1.xhtml": PAGE.format("<p>One.</p>")}
    assert read(tmp_path, make(members))[0] == ["One."]


def test_what_the_spine_names_in_vain_is_counted(tmp_path: Path) -> None:
    spine = '<itemref idref="i0"/><itemref idref="nowhere"/><itemref idref="i1"/><itemref idref="i0"/>'
    found, tally = read(
        tmp_path, book({"1.xhtml": PAGE.format("<p>One.</p>")}, package("1.xhtml", "2.xhtml", spine=spine))
    )
    assert found == ["One."]
    assert tally.counters["books.chapters_dropped.not_in_manifest"] == 1
    assert tally.counters["books.chapters_dropped.missing"] == 1
    assert tally.counters["books.left_out.repeated"] == 1
    assert [place.locator for place in tally.damage] == ["b.epub#2.xhtml", "b.epub#nowhere"]


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


def test_an_item_is_sought_once_however_often_the_spine_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought: list[str] = []
    find = Archive.find

    def counting(archive: Archive, base: str, reference: str) -> str | None:
        sought.append(reference)
        return find(archive, base, reference)

    monkeypatch.setattr(Archive, "find", counting)
    spine = '<itemref idref="i0"/>' * 50 + '<itemref idref="i1"/>' * 50
    found, tally = read(tmp_path, book({"1.xhtml": PAGE.format("<p>One.</p>")}, package("1.xhtml", "no", spine=spine)))
    assert found == ["One."]
    assert (sought.count("1.xhtml"), sought.count("no")) == (2, 2)
    assert tally.counters["books.left_out.repeated"] == 49


def test_a_name_of_a_million_characters_is_missing_and_its_place_short(tmp_path: Path) -> None:
    pages = {"1.xhtml": PAGE.format("<p>One.</p>")}
    found, tally = read(tmp_path, book(pages, package("1.xhtml", "%41" * 300_000)))
    assert (found, tally.counters["books.chapters_dropped.missing"]) == (["One."], 1)
    assert all(len(place.locator) + len(place.reason) < 400 for place in tally.damage)


def test_a_chapter_above_the_limit_of_a_page_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.sources.books.epub.LARGEST_PAGE", 1 << 20)
    pages = {"1.xhtml": PAGE.format("<p>One.</p>"), "2.xhtml": PAGE.format("<p>" + "two " * (1 << 18) + "</p>")}
    found, tally = read(tmp_path, book(pages))
    assert (found, tally.counters["books.chapters_dropped.too_large"]) == (["One."], 1)
    assert tally.damage[0].reason == "it unpacks to 1.0 MiB, and more than 1.0 MiB are not read"


def test_backslashes_in_every_name(tmp_path: Path) -> None:
    members = {"META-INF\\container.xml": CONTAINER.format("O/c.opf"), "O\\c.opf": package("t\\1.xhtml")}
    assert read(tmp_path, make({**members, "O\\t\\1.xhtml": PAGE.format("<p>One.</p>")}))[0] == ["One."]


def test_without_a_spine_only_pages_are_read(tmp_path: Path) -> None:
    more = (
        '<item id="n" href="c.ncx" media-type="application/x-dtbncx+xml"/><item id="s" href="s" media-type="text/css"/>'
    )
    opf = package("1.xhtml", spine="", more=more)
    found, tally = read(tmp_path, book({"1.xhtml": PAGE.format("<p>One.</p>"), "c.ncx": "<ncx/>", "s": "p{}"}, opf))
    assert (found, tally.counters["books.malformed_chapters"]) == (["One."], 0)


def test_a_damaged_list_of_locked_members_costs_nothing(tmp_path: Path) -> None:
    found, _ = read(tmp_path, book({"1.xhtml": PAGE.format("<p>One.</p>")}, **{"META-INF/encryption.xml": "\n"}))
    assert found == ["One."]


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


def test_contents_and_pages_beside_the_line_are_counted(tmp_path: Path) -> None:
    names = ("1.xhtml", "toc.xhtml", "nav.xhtml", "aside.xhtml")
    more = '<item id="n" href="nav.xhtml" properties="scripted nav" media-type="application/xhtml+xml"/>'
    spine = '<itemref idref="i1"/><itemref idref="n"/><itemref idref="i0"/><itemref idref="i3" linear="no"/>'
    opf = package(*names, spine=spine, more=more).replace(
        "</package>",
        '<guide><reference type="toc" href="toc.xhtml"/><reference type="toc" href="1.xhtml#c"/></guide></package>',
    )
    found, tally = read(tmp_path, book({name: PAGE.format(f"<p>{name}</p>") for name in names}, opf))
    assert found == ["1.xhtml"]
    assert tally.counters["books.left_out.contents"] == 2
    assert tally.counters["books.left_out.nonlinear"] == 1


def chapters(count: int) -> Members:
    return {f"{n}.xhtml": PAGE.format(f"<p>Chapter {n} of the book.</p>") for n in range(count)}


def at(data: bytes, member: str) -> int:
    """Where the stored bytes of a member begin."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.getinfo(member).header_offset + 30 + len(member)


def test_a_damaged_member_costs_that_chapter_alone(tmp_path: Path) -> None:
    data = make(
        {
            "META-INF/container.xml": CONTAINER.format("O/c.opf"),
            "O/c.opf": package(*chapters(3)),
            **_below(chapters(3)),
        },
        0,
    )
    begin = at(data, "O/1.xhtml")
    found, tally = read(tmp_path, data[: begin + 50] + b"X" + data[begin + 51 :])
    assert found == ["Chapter 0 of the book.", "Chapter 2 of the book."]
    assert tally.counters["books.chapters_dropped.damaged"] == 1
    assert tally.counters["books.malformed_chapters_bytes"] == len(PAGE.format("<p>Chapter 1 of the book.</p>"))
    (place,) = tally.damage
    assert place.locator == "b.epub#O/1.xhtml"
    assert "CRC" in place.reason


@pytest.mark.parametrize(("flag", "method", "kind"), [(1, 8, "encrypted"), (0, 12, "damaged"), (0, 99, "damaged")])
def test_locked_and_foreign_members(tmp_path: Path, flag: int, method: int, kind: str) -> None:
    data = bytearray(book(chapters(2)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        local = archive.getinfo("O/1.xhtml").header_offset
    central = data.rindex(b"PK\1\2", 0, data.rindex(b"O/1.xhtml"))
    for place, shift in ((local, 6), (central, 8)):
        struct.pack_into("<HH", data, place + shift, flag, method)
    found, tally = read(tmp_path, bytes(data))
    assert found == ["Chapter 0 of the book."]
    assert tally.counters[f"books.chapters_dropped.{kind}"] == 1


def test_a_partly_locked_book_is_read_in_part(tmp_path: Path) -> None:
    locked = '<e xmlns:c="c"><c:CipherReference URI="O/0.xhtml"/></e>'
    found, tally = read(tmp_path, book(chapters(2), **{"META-INF/encryption.xml": locked}))
    assert found == ["Chapter 1 of the book."]
    assert tally.counters["books.chapters_dropped.encrypted"] == 1


def test_forms_of_archives(tmp_path: Path) -> None:
    plain = book(chapters(2))
    assert read(tmp_path, b"HTTP/1.1 200 OK\r\n\r\n" + plain)[0] == read(tmp_path, plain)[0]
    streamed = io.BytesIO()
    with zipfile.ZipFile(_Unseekable(streamed), "w") as archive:  # sizes behind the data, as a pipe writes them
        archive.writestr("META-INF/container.xml", CONTAINER.format("O/c.opf"))
        archive.writestr("O/c.opf", package("0.xhtml"))
        with archive.open("O/0.xhtml", "w", force_zip64=True) as member:
            member.write(PAGE.format("<p>Chapter 0 of the book.</p>").encode())
    assert read(tmp_path, streamed.getvalue())[0] == ["Chapter 0 of the book."]


class _Unseekable(io.RawIOBase):
    def __init__(self, inner: io.BytesIO) -> None:
        self._inner = inner

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._inner.write(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (book(chapters(1))[:-40], "is not a readable EPUB book"),
        (b"no archive", "File is not a zip file"),
        (make({}), "there is no META-INF/container.xml"),
        (book(chapters(1), package("0.xhtml").encode() + b"\xff\x00"), "O/c.opf"),
    ],
)
def test_a_book_that_cannot_be_read_is_one_sentence(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(PreprocessingError, match=message) as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_a_directory_of_millions_of_members_is_not_read(tmp_path: Path) -> None:
    directory = b"\0" * (9 << 20)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)
    with pytest.raises(PreprocessingError, match="its directory takes 9 MiB"):
        read(tmp_path, directory + end)


def test_a_book_without_a_chapter_is_counted(tmp_path: Path) -> None:
    _, tally = read(tmp_path, book({"1.xhtml": ""}), document="chapter")
    assert (tally.documents_in, tally.dropped) == (1, {"empty": 1})
