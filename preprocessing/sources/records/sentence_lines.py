"""Google's own input layout: a sentence a line, a blank line between documents.

The lines are the sentences: they are cleaned, but neither joined nor segmented again. Locator: `byte=N`, where the
document's first line begins in the (decompressed) file; `line=N` in UTF-16 and UTF-32.
"""

import io
from collections.abc import Iterator

from preprocessing.sources.decompression import open_piece
from preprocessing.sources.encodings import detect_encoding, known_encoding, undecodable
from preprocessing.sources.lines import binary_lines, long_line, text_lines
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.split import Split
from preprocessing.tally import DOCUMENTS_IN, Tally

_FEW_LINES = 50
_OPTION = "--sentences.encoding"


def read_sentence_lines(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """Documents in order; one above the size limit goes on in further documents, with locators of their own.

    Counter: `warnings.no_blank_lines` when a file of more than 50 lines has no blank one. Raises
    PreprocessingError for NUL bytes, undecodable bytes or a line above the limit.
    """
    if options.sentences.encoding:
        encoding = known_encoding(options.sentences.encoding)
    else:
        encoding = detect_encoding(lambda: open_piece(piece), piece.file, options.language, option=_OPTION, tally=tally)
    wide = encoding.startswith(("utf-16", "utf-32"))
    numbered = _wide_lines(piece, encoding, options) if wide else _lines(piece, encoding, options)
    sentences: list[str] = []
    locator, characters, lines, blank = "", 0, 0, False
    for position, line in numbered:
        lines += 1
        full = characters + len(line) > options.limits.document_characters
        if sentences and (full or not line or line.isspace()):
            tally.count(DOCUMENTS_IN)
            yield RawDocument(locator, "", sentences)
            sentences, characters = [], 0
        if not line or line.isspace():
            blank = True
            continue
        locator = locator if sentences else position
        sentences.append(line)
        characters += len(line)
    if sentences:
        tally.count(DOCUMENTS_IN)
        yield RawDocument(locator, "", sentences)
    if not blank and lines > _FEW_LINES and piece.start == 0:
        tally.count("warnings.no_blank_lines")


def _lines(piece: Split, encoding: str, options: ReaderOptions) -> Iterator[tuple[str, str]]:
    for number, (offset, line) in enumerate(binary_lines(piece, options.limits.line_bytes), 1):
        if line is None:
            raise long_line(f"{piece.file} from byte {piece.start}", number, options.limits.line_bytes)
        try:
            yield f"byte={offset}", line.decode(encoding if offset == 0 else encoding.removesuffix("-sig"))
        except UnicodeDecodeError as error:
            raise undecodable(piece.file, encoding, error, offset, _OPTION) from error


def _wide_lines(piece: Split, encoding: str, options: ReaderOptions) -> Iterator[tuple[str, str]]:
    with io.TextIOWrapper(open_piece(piece), encoding, "strict", None) as stream:
        for number, line in enumerate(text_lines(stream, piece.file, options.limits.line_bytes), 1):
            yield f"line={number}", line
