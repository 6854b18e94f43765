"""Containers, package files and the names in them, as they are found in the world."""

from pathlib import Path

import pytest

from preprocessing.sources.books.archive import Archive
from tests.preprocessing.sources.books.epub_files import CONTAINER, PAGE, Members, book, make, package, read


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
