"""One file of one's own, whole, as one document: which way it is read, its suffix says.

    .txt                     as a book of `--books`, Project Gutenberg's own text included
    .md .markdown            `markdown.py`
    .html .htm .xhtml        `preprocessing.sources.html`
    .epub                    as a book of `--books`

Locator: `text`; a file above the size limit goes on in `text;part=2`. Counters: `text.files.KIND`, and under
`text.left_out_characters` what is no running text, by kind.
"""

import io
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import BinaryIO

from preprocessing.errors import PreprocessingError
from preprocessing.sources.books.gutenberg_blocks import without_gutenberg
from preprocessing.sources.books.reader import read_books
from preprocessing.sources.decompression import open_piece
from preprocessing.sources.encodings import detect_encoding, known_encoding
from preprocessing.sources.html.decoding import LARGEST_PAGE, decode_page
from preprocessing.sources.html.parsing import EntityError, MarkupError, parse_html, parse_xml
from preprocessing.sources.html.running_text import RunningText
from preprocessing.sources.lines import text_lines
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.raw_document import RawDocument, in_parts
from preprocessing.sources.split import Split
from preprocessing.sources.text_files.markdown import MarkdownText
from preprocessing.sources.text_files.suffixes import kind_of
from preprocessing.tally import DOCUMENTS_IN, Tally

_LOCATOR = "text"


def read_text_file(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """The file's text. Raises PreprocessingError for one that is not what its suffix says, or cannot be decoded."""
    kind = kind_of(piece.file)
    tally.count(f"text.files.{kind}")
    if kind in ("txt", "epub"):
        whole = options.model_copy(update={"books": options.books.model_copy(update={"document": "book"})})
        for document in read_books(piece, whole, tally):
            yield replace(document, locator=_LOCATOR + document.locator.removeprefix("book"))
        return
    stem = PurePosixPath(piece.file).name.split(".")[0]
    with open_piece(piece, tally) as stream:
        if kind == "md":
            encoding = _encoding(piece, options, tally)
            text = io.TextIOWrapper(stream, encoding, "strict", None)
            markdown = MarkdownText(text_lines(text, piece.file, options.limits.line_bytes), tally)
            yield from _document(markdown.title, stem, markdown.blocks(), options, tally)
        else:
            page = _page(piece, stream, options, tally)
            blocks = without_gutenberg(page.blocks, piece.file, tally)
            yield from _document(page.title, stem, blocks, options, tally)


def _document(
    title: str, stem: str, blocks: Iterable[tuple[bool, str]], options: ReaderOptions, tally: Tally
) -> Iterator[RawDocument]:
    blocks = iter(blocks)
    first = list(itertools.islice(blocks, 1))
    if first and first[0][0]:
        title = title or first[0][1]
    paragraphs = _paragraphs(itertools.chain(first, blocks), options.books.keep_headings, tally)
    for document in in_parts(_LOCATOR, title or stem, paragraphs, options.limits.document_characters):
        tally.count(DOCUMENTS_IN)
        yield document


def _paragraphs(blocks: Iterable[tuple[bool, str]], keep_headings: bool, tally: Tally) -> Iterator[str]:
    for heading, text in blocks:
        if heading:
            tally.count("text.headings")
        if keep_headings or not heading:
            yield text


def _encoding(piece: Split, options: ReaderOptions, tally: Tally) -> str:
    if options.books.encoding:
        return known_encoding(options.books.encoding)
    return detect_encoding(lambda: open_piece(piece, Tally()), piece.file, options.language, tally=tally)


def _parse(text: str, is_xml: bool, file: str) -> RunningText:
    try:
        if is_xml:
            return parse_xml(text, lambda: RunningText(is_page=True))[0]
    except EntityError as error:
        raise PreprocessingError(
            f"{file} is not read: {error}, and such entities are never expanded; write what it stands for."
        ) from error
    except MarkupError:
        pass  # no tag at all: for HTML that is a paragraph
    return parse_html(text, RunningText(is_page=True))


def _page(piece: Split, stream: BinaryIO, options: ReaderOptions, tally: Tally) -> RunningText:
    content = stream.read(LARGEST_PAGE + 1)
    if len(content) > LARGEST_PAGE:
        raise PreprocessingError(
            f"{piece.file} holds more than {LARGEST_PAGE >> 20} MiB, and a page is read whole; cut it into several "
            "pages or leave it out."
        )
    given = known_encoding(options.books.encoding) if options.books.encoding else None
    text, _ = decode_page(content, piece.file, options.language, given, option="--books.encoding", tally=tally)
    del content
    page = _parse(text, kind_of(piece.file) == "xhtml", piece.file).finish()
    for kind, characters in page.left_out.items():
        tally.count(f"text.left_out_characters.{kind}", characters)
    return page
