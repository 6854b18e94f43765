"""Books in plain text or EPUB.

A document is a whole book by default, as in BERT's pretraining (Devlin et al. 2018, section 3.1: "a document-level
corpus … to extract long contiguous sequences"): every sequence but a book's last is full, and the random next
sentence always comes from another book. With `document="chapter"` sequences never cross a chapter, duplicates of
single chapters are found and lineage is finer, but each chapter ends in a short sequence, and random next sentences may
come from the same book, where names and style no longer give them away: a harder task than the published one.

Locators: `book`, or `chapter=N` counted from 1 (0 is what stands before the first heading); a book above the size limit
goes on in `book;part=2`.
"""

import io
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from preprocessing.sources.books.chapters import chapters_of, is_heading, is_subtitle
from preprocessing.sources.books.epub import is_epub, read_epub
from preprocessing.sources.books.gutenberg import strip_gutenberg
from preprocessing.sources.books.gutenberg_blocks import without_gutenberg
from preprocessing.sources.books.gutenberg_marks import is_front_credit
from preprocessing.sources.decompression import open_piece
from preprocessing.sources.encodings import detect_encoding, known_encoding
from preprocessing.sources.lines import text_lines
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.paragraphs import blocks_of, margin_of, paragraphs_of
from preprocessing.sources.raw_document import RawDocument, in_parts
from preprocessing.sources.split import Split
from preprocessing.storage import local_copy
from preprocessing.tally import DOCUMENTS_IN, Tally

# A heading flag and the paragraphs it holds for: what both formats come down to.
Blocks = Iterable[tuple[bool, list[str]]]

_MARGIN_LINES = 2000
_MARGIN_CHARACTERS = 8 << 20
_FEW_LINES = 50
_EMPHASIS = re.compile(r"(?<!\w)_([^_]{1,1000})_(?!\w)")
_ILLUSTRATION = re.compile(
    r"\[(?:Illustration|Footnote|Sidenote|Blank Page)[^\[\]]{0,2000}\]?|\[(?:Pg|Page|p\.) ?\d{1,4}\]"
)
_NOTE_MARK = re.compile(r"(?<=[\w.,;:!?\"'”’)])\s?\[\d{1,4}\]")


def read_books(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """The book, or its chapters. Raises PreprocessingError for a file that is no text and no EPUB.

    Counters: `warnings.no_blank_lines` (a text without paragraphs), `books.headings`, those of `gutenberg`.
    """
    title = PurePosixPath(piece.file).name.split(".")[0]
    damaged = tally.counters["books.malformed_chapters"]
    blocks: Blocks
    if is_epub(piece.path, piece.file):
        with local_copy(piece.path) as path:  # an archive is read from its end, and then to and fro
            book = read_epub(path, piece.file, options.books.unpacked_limit_bytes, options.language, tally)
            title = book.title or title
            flat = ((heading, text) for heading, texts in book.blocks for text in texts)
            blocks = ((heading, [text]) for heading, text in without_gutenberg(flat, piece.file, tally))
            yield from _documents(title, blocks, piece.file, options, tally, damaged)
        return
    if options.books.encoding:
        encoding = known_encoding(options.books.encoding)
    else:
        encoding = detect_encoding(lambda: open_piece(piece, Tally()), piece.file, options.language, tally=tally)
    with io.TextIOWrapper(open_piece(piece, tally), encoding, "strict", None) as stream:
        lines = text_lines(stream, piece.file, options.limits.line_bytes)
        header, body = strip_gutenberg(lines, piece.file, tally)
        blocks = _text_blocks(body, tally)
        yield from _documents(header.title or title, blocks, piece.file, options, tally, damaged)


def _documents(
    title: str, blocks: Blocks, file: str, options: ReaderOptions, tally: Tally, damaged_before: int
) -> Iterator[RawDocument]:
    """`damaged_before` is how many chapters could not be read before this book."""
    limit = options.limits.document_characters
    is_book = options.books.document == "book"
    if is_book:
        keep = options.books.keep_headings
        texts = itertools.chain.from_iterable(held for heading, held in blocks if keep or not heading)
        chapters: Iterable[tuple[str, str, Iterable[str]]] = [("book", title, texts)]
    else:
        chapters = (
            (f"chapter={number}", f"{title}: {name}", paragraphs)
            for number, (name, paragraphs) in _numbered(chapters_of(blocks, options.books.keep_headings))
        )
    is_empty = True
    for locator, name, paragraphs in chapters:
        for document in in_parts(locator, name, map(_plain, paragraphs), limit):
            if is_book and not document.paragraphs:
                continue  # there is no other: why it is empty is said below
            is_empty = False
            tally.count(DOCUMENTS_IN)
            yield document
    if is_empty:  # a book without a chapter is not lost in silence
        tally.count(DOCUMENTS_IN)
        damaged = tally.counters["books.malformed_chapters"] - damaged_before
        if damaged:
            reason = f"none of its chapters is text that can be read; {damaged} of them are damaged or missing"
            tally.reject(file, reason)
        else:
            tally.reject(file, "it holds no text", kind="empty")


def _numbered(chapters: Iterator[tuple[str, list[str]]]) -> Iterator[tuple[int, tuple[str, list[str]]]]:
    """Counts chapters from 1; text before the first heading, which has no title, is number 0."""
    number = 0
    for index, chapter in enumerate(chapters):
        number += index > 0 or bool(chapter[0])
        yield number, chapter


def _text_blocks(lines: Iterator[str], tally: Tally) -> Iterator[tuple[bool, list[str]]]:
    head = _first_lines(lines)
    margin = margin_of(head)
    seen_lines = 0
    has_blank_line = after_heading = False

    def counted() -> Iterator[str]:
        nonlocal seen_lines, has_blank_line
        for line in itertools.chain(head, lines):
            seen_lines += 1
            has_blank_line = has_blank_line or not line or line.isspace()
            yield line.expandtabs(4) if "\t" in line else line

    for block in blocks_of(counted()):
        if is_front_credit(block, seen_lines - len(block)):
            tally.count("gutenberg.credit_blocks")
            continue
        heading = is_heading(block) or (after_heading and is_subtitle(block))
        # A title belongs to the heading right above it, not to the title above that.
        after_heading = heading and not after_heading
        if heading:
            tally.count("books.headings")
            yield True, [" ".join(" ".join(block).split())]
        else:
            yield False, paragraphs_of(block, margin)
    if not has_blank_line and seen_lines > _FEW_LINES:
        tally.count("warnings.no_blank_lines")


def _first_lines(lines: Iterator[str]) -> list[str]:
    """What the margin is told from: 2,000 lines, of long ones fewer."""
    head: list[str] = []
    characters = 0
    while len(head) < _MARGIN_LINES and characters < _MARGIN_CHARACTERS:
        line = next(lines, None)
        if line is None:
            break
        head.append(line)
        characters += len(line)
    return head


def _plain(paragraph: str) -> str:
    """Without the marks that stand for italics, pictures and notes in plain text books."""
    if "_" in paragraph:
        paragraph = _EMPHASIS.sub(r"\1", paragraph)
    if "[" in paragraph:
        paragraph = _NOTE_MARK.sub("", _ILLUSTRATION.sub("", paragraph))
    return paragraph
