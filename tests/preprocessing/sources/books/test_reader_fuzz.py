"""Damaged books: whatever the bytes, one sentence or documents, books that balance, and work that ends."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import BookOptions, ReaderOptions
from preprocessing.sources.readers import reader_of
from preprocessing.sources.split import Split
from preprocessing.tally import Tally
from tests.preprocessing.sources.mutations import mutations

EXAMPLES = 2000
UNPACKED_BYTES = 1 << 20
CHAPTER = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd" [<!ENTITY a "b">]>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="x"><head><title>T</title></head><body><h2>Chapter {0}</h2>
<p>Text number {0}&nbsp;with <i>marks</i><a epub:type="noteref" href="#n">1</a>, <![CDATA[<more>]]>.<br/>Maß, 漢字.</p>
<aside epub:type="footnote" id="n"><p>A note.</p></aside><table><tr><td>1</td></tr></table></body></html>"""
MEMBERS = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<container><rootfiles><rootfile full-path="O/c.opf"/></rootfiles></container>',
    "O/c.opf": '<package><metadata><dc:title xmlns:dc="d">Title</dc:title></metadata><manifest>'
    '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/><item id="b" href="b%20b.xhtml" media-type='
    '"text/html"/></manifest><spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
    "O/a.xhtml": CHAPTER.format(1),
    "O/b b.xhtml": CHAPTER.format(2),
}
PROSE = "It was a bright cold day in the middle of April, and all the clocks in\nthe town were _striking_ one.[3] She\n"
GUTENBERG = f"""The Project Gutenberg eBook of A Small Book

Title: A Small Book

*** START OF THE PROJECT GUTENBERG EBOOK A SMALL
BOOK ***

Produced by A. Volunteer

CHAPTER I

{PROSE}
[Illustration: A ship]

  The sea is calm to-night.
  The tide is full, the moon lies fair

{PROSE}
End of the Project Gutenberg EBook of A Small Book, by Nobody

*** END OF THE PROJECT GUTENBERG EBOOK A SMALL BOOK ***

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*
"""


def epub(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return buffer.getvalue()


def read(path: Path, data: bytes, document: str) -> None:
    path.write_bytes(data)
    tally = Tally()
    options = ReaderOptions(books=BookOptions(document=document, unpacked_limit_bytes=UNPACKED_BYTES))  # type: ignore[arg-type]
    characters, said = 0, ""
    try:
        for book in reader_of("books")(Split("books", str(path), path.name, 0, len(data)), options, tally):
            tally.count("documents_out")
            characters += sum(map(len, book.paragraphs))
            "\n".join(book.paragraphs).encode()  # half a surrogate pair is no text
    except PreprocessingError as error:
        said = str(error)
    if said:
        assert "\n" not in said
        assert path.name in said
    else:
        assert tally.unaccounted == 0
    assert characters <= 4 * max(len(data), UNPACKED_BYTES)


@pytest.mark.parametrize(
    ("name", "data", "others"),
    [
        ("b.epub", epub(zipfile.ZIP_DEFLATED), []),
        ("b.epub", epub(zipfile.ZIP_STORED), [CHAPTER.encode("utf-16")]),  # so that damage reaches the XML
        ("b.txt", GUTENBERG.encode(), [GUTENBERG.encode("utf-16")]),
    ],
    ids=["epub", "stored", "text"],
)
@pytest.mark.parametrize("document", ["book", "chapter"])
def test_damaged_books(tmp_path: Path, name: str, data: bytes, others: list[bytes], document: str) -> None:
    run = settings(max_examples=EXAMPLES // 2, derandomize=True, database=None, deadline=None)
    run(given(mutations(data, others))(lambda damaged: read(tmp_path / name, damaged, document)))()
