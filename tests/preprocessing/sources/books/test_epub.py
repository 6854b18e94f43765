import zipfile
from pathlib import Path

import pytest

from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import BookOptions, InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

CONTAINER = """<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The  Title</dc:title></metadata>
<manifest>{items}</manifest><spine>{refs}</spine></package>"""
XHTML = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>not text</title><style>p {{}}</style></head>
<body>{}</body></html>"""
ONE = "<h2>Chapter One</h2><p>The first chapter is <i>short</i>&nbsp;and sweet.<br/>It has &eacute;lan &amp; style.</p>"
TWO = "<h2>Chapter Two</h2><div>The second is longer.</div><script>var x;</script><p>And it <!-- no --> ends here.</p>"


def make(path: Path, chapters: dict[str, str | bytes], **extra: str | bytes | None) -> Path:
    """Chapters by member name, in reading order; `extra` replaces or adds members."""
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(chapters)
    )
    refs = "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters)))
    members: dict[str, str | bytes | None] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER.format("OEBPS/content.opf"),
        "OEBPS/content.opf": PACKAGE.format(items=items, refs=refs),
    }
    # Stored in the wrong order on purpose: the spine decides.
    members |= {f"OEBPS/{name.replace('%20', ' ')}": body for name, body in reversed(chapters.items())}
    members |= extra
    members = {name: body for name, body in members.items() if body is not None}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def read(path: Path, **books: object) -> tuple[list[Document], Tally]:
    tally = Tally()
    options = DocumentOptions(books=BookOptions(**books), cleaning={"minimum_characters": 0})  # type: ignore[arg-type]
    splits = plan_splits(InputOptions(books=(str(path),)))
    documents = [document for split in splits for document in read_documents(split, options, tally)]
    assert tally.unaccounted == 0
    return documents, tally


def test_text_in_the_order_of_the_spine(tmp_path: Path) -> None:
    path = make(tmp_path / "b.epub", {"z.xhtml": XHTML.format(ONE), "a%20b.xhtml": XHTML.format(TWO)})
    (document,), _ = read(path)
    assert document == Document(
        "books",
        "b.epub",
        "book",
        "The Title",
        (
            "The first chapter is short and sweet.",
            "It has élan & style.",
            "The second is longer.",
            "And it ends here.",
        ),
    )
    chapters, _ = read(path, document="chapter")
    assert [(c.locator, c.title) for c in chapters] == [
        ("chapter=1", "The Title: Chapter One"),
        ("chapter=2", "The Title: Chapter Two"),
    ]
    (kept,), _ = read(path, keep_headings=True)
    assert kept.sentences[0] == "Chapter One"


def test_gutenberg_s_own_sections_go(tmp_path: Path) -> None:
    body = '<section class="pg-boilerplate pgheader"><p>Project <b>Gutenberg</b></p></section><p>The book.</p>'
    (document,), _ = read(make(tmp_path / "b.epub", {"1.xhtml": XHTML.format(body)}))
    assert document.sentences == ("The book.",)


def test_navigation_and_notes_outside_the_line_are_left_out(tmp_path: Path) -> None:
    items = (
        '<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        '<item id="o" href="notes.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="t" href="t.xhtml" media-type="application/xhtml+xml"/>'
    )
    package = PACKAGE.format(
        items=items, refs='<itemref idref="n"/><itemref idref="t"/><itemref idref="o" linear="no"/><itemref idref="x"/>'
    )
    members = {f"OEBPS/{name}.xhtml": XHTML.format(f"<p>{name} text.</p>") for name in ("nav", "notes", "t")}
    (document,), _ = read(make(tmp_path / "b.epub", {}, **{"OEBPS/content.opf": package, **members}))
    assert document.sentences == ("t text.",)


BOMB = '<!DOCTYPE html [<!ENTITY a "{}"><!ENTITY b "{}">]><html><body><p>&b;</p></body></html>'.format(
    "lol" * 1000, "&a;" * 1000
)
EXTERNAL = '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>&x;</p></body></html>'


@pytest.mark.parametrize(
    ("chapter", "kind"),
    [
        (BOMB, "markup"),
        (EXTERNAL, "markup"),
        ("no tag at all", "markup"),
        (b"\x00\x01\xff\xfe<p>" * 50, "encoding"),
        (b"<?xml version='1.0' encoding='GBK'?><p>" + b"\xff\xff\x81" * 9 + b"\0</p>", "encoding"),
    ],
)
def test_a_chapter_that_cannot_be_read_is_left_out_and_counted(tmp_path: Path, chapter: str, kind: str) -> None:
    path = make(tmp_path / "b.epub", {"1.xhtml": XHTML.format(ONE), "2.xhtml": chapter, "3.xhtml": XHTML.format(TWO)})
    (document,), tally = read(path)
    assert len(document.sentences) == 4
    assert tally.counters[f"books.chapters_dropped.{kind}"] == tally.counters["books.malformed_chapters"] == 1
    assert [place.locator for place in tally.damage] == ["b.epub#OEBPS/2.xhtml"]
    assert not any("root:" in sentence or "lol" in sentence for sentence in document.sentences)


@pytest.mark.parametrize(
    ("extra", "options", "message"),
    [
        ({"META-INF/container.xml": "<container/>", "OEBPS/content.opf": None}, {}, "names no package file"),
        ({"META-INF/container.xml": None, "OEBPS/content.opf": None}, {}, "there is no META-INF/container.xml"),
        ({"META-INF/container.xml": BOMB}, {}, "is not a readable EPUB book"),
        ({"META-INF/container.xml": CONTAINER.format("../../etc/passwd")}, {}, "points outside the archive"),
        (
            {"META-INF/container.xml": CONTAINER.format("missing.opf"), "OEBPS/content.opf": None},
            {},
            "it holds no missing.opf",
        ),
        ({"OEBPS/content.opf": BOMB}, {}, "is not a readable EPUB book"),
        ({"OEBPS/1.xhtml": XHTML.format("<p>" + "x" * (1 << 21) + "</p>")}, {"unpacked_limit_bytes": 1 << 20}, "1 MiB"),
        (
            {
                "META-INF/encryption.xml": '<e xmlns:c="c"><c:CipherData><c:CipherReference URI="OEBPS/1.xhtml"/>'
                "</c:CipherData></e>"
            },
            {},
            "is locked by DRM",
        ),
        ({"META-INF/encryption.xml": BOMB}, {}, "is not a readable EPUB book"),
    ],
)
def test_bad_books_are_one_sentence(
    tmp_path: Path, extra: dict[str, str], options: dict[str, int], message: str
) -> None:
    path = make(tmp_path / "b.epub", {"1.xhtml": XHTML.format(ONE)}, **extra)
    with pytest.raises(PreprocessingError) as caught:
        read(path, **options)
    assert message in str(caught.value)
    assert str(caught.value).startswith("b.epub ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../../secret.xhtml", "%2e%2e/%2e%2e/secret.xhtml", "http://x.y/a.xhtml", "file:///x"]
)
def test_a_chapter_outside_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "b.epub", {"1.xhtml": XHTML.format(TWO), name: XHTML.format(ONE)})
    (document,), tally = read(path)
    assert document.sentences == ("The second is longer.", "And it ends here.")
    assert tally.counters["books.chapters_dropped.outside"] == 1


def test_scrambled_fonts_do_no_harm(tmp_path: Path) -> None:
    fonts = '<e xmlns:c="c"><c:CipherReference URI="OEBPS/font.otf"/></e>'
    documents, _ = read(make(tmp_path / "b.epub", {"1.xhtml": XHTML.format(ONE)}, **{"META-INF/encryption.xml": fonts}))
    assert len(documents) == 1


def test_a_cut_off_archive_is_one_sentence(tmp_path: Path) -> None:
    path = make(tmp_path / "b.epub", {"1.xhtml": XHTML.format(ONE)})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(PreprocessingError, match=r"^b\.epub is not a readable EPUB book"):
        read(path)


@pytest.mark.parametrize("member", ["META-INF/container.xml", "OEBPS/content.opf", "META-INF/encryption.xml"])
def test_a_file_about_the_book_is_no_library(tmp_path: Path, member: str) -> None:
    """32 KB that unpacked to 32 MB of elements took 755 MB of memory."""
    with pytest.raises(PreprocessingError, match=rf"its {member} unpacks to 8 MiB"):
        read(make(tmp_path / "b.epub", {}, **{member: "<a>" + "<b/>" * (2 << 20) + "</a>"}))
