"""EPUB files made member by member, and how the reader of books reads them."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

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
    return make({"META-INF/container.xml": CONTAINER.format("O/c.opf"), "O/c.opf": opf, **below(chapters), **more})


def below(chapters: Mapping[str, str | bytes]) -> Members:
    return {f"O/{name}": body for name, body in chapters.items()}


def read(folder: Path, data: bytes, **books: object) -> tuple[list[str], Tally]:
    path = folder / "b.epub"
    path.write_bytes(data)
    tally = Tally()
    options = ReaderOptions(books=BookOptions(**books))  # type: ignore[arg-type]
    documents = list(reader_of("books")(Split("books", str(path), "b.epub", 0, len(data)), options, tally))
    return [paragraph for document in documents for paragraph in document.paragraphs], tally


def chapters(count: int) -> Members:
    return {f"{n}.xhtml": PAGE.format(f"<p>Chapter {n} of the book.</p>") for n in range(count)}
