"""Google's own input layout: a sentence a line, a blank line between documents.

The lines are the sentences: they are cleaned, but neither joined nor segmented again. Locator: `byte=N`, where the
document's first line begins in the (decompressed) file; `line=N` in UTF-16 and UTF-32.
"""

import codecs
import io
from collections.abc import Iterator

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import open_piece
from preprocessing.sources.encodings import undecodable
from preprocessing.sources.foreign_formats import HEAD_BYTES, foreign_format
from preprocessing.sources.lines import NO_RECORDS, binary_lines, is_whole_file, long_line
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.sentence_encoding import OPTION, is_wide, sentence_encoding
from preprocessing.sources.split import Split
from preprocessing.tally import DAMAGED, DOCUMENTS_IN, Tally

DAMAGED_LINES = "sentences.damaged_lines"
"""Lines that were left out: undecodable bytes, or longer than a line may be."""
DAMAGED_DOCUMENTS = f"{DAMAGED}sentence_documents"
"""Documents that lost a line so."""
_FEW_LINES = 50
# Half a surrogate pair, which no text decodes to, stands for bytes that do not decode: U+FFFD stands in good files too.
_MARK, _MARKS = "\udcff", "mark_undecodable"
codecs.register_error(_MARKS, lambda error: (_MARK, error.end))  # type: ignore[attr-defined]


def read_sentence_lines(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """Documents in order; one above the size limit goes on in further documents, with locators of their own.

    A line that cannot be decoded or is above the limit is left out and counted. Counters: `sentences.damaged_lines`;
    `warnings.no_blank_lines` when a file of more than 50 lines has no blank one. Raises PreprocessingError where the
    file is no text, or it is read in one piece and no line of it can be.
    """
    if piece.start == 0:
        with open_piece(piece, Tally()) as stream:
            if other := foreign_format(stream.read(HEAD_BYTES)):
                raise PreprocessingError(f"{piece.file} is not text but {other}.")
    encoding = sentence_encoding(piece, options, tally)
    read = _wide_lines if is_wide(encoding) else _lines
    sentences: list[str] = []
    locator, characters, lines, bad, blank = "", 0, 0, 0, 0
    fault: PreprocessingError | None = None
    is_damaged = False
    for position, line in read(piece, encoding, options, tally):
        lines += 1
        if isinstance(line, PreprocessingError):
            tally.lose_part(f"{piece.file} {position}", str(line), DAMAGED_LINES, kind=DAMAGED_DOCUMENTS)
            fault, bad, is_damaged = fault or line, bad + 1, True
            continue
        full = characters + len(line) > options.limits.document_characters
        if sentences and (full or not line or line.isspace()):
            tally.count(DOCUMENTS_IN)
            yield RawDocument(locator, "", sentences)
            sentences, characters = [], 0
        if not line or line.isspace():
            blank += 1
            if is_damaged:
                tally.count(DAMAGED_DOCUMENTS)
                is_damaged = False
            continue
        locator = locator if sentences else position
        sentences.append(line)
        characters += len(line)
    if sentences:
        tally.count(DOCUMENTS_IN)
        yield RawDocument(locator, "", sentences)
    if is_damaged:
        tally.count(DAMAGED_DOCUMENTS)
    if bad + blank == lines and is_whole_file(piece):
        if fault is not None:
            raise fault
        tally.lose_part(piece.file, "no lines of text", NO_RECORDS)
    elif piece.start == 0 and not blank and lines > _FEW_LINES:
        tally.count("warnings.no_blank_lines")


def _lines(
    piece: Split, encoding: str, options: ReaderOptions, tally: Tally
) -> Iterator[tuple[str, str | PreprocessingError]]:
    limit = options.limits.line_bytes
    for number, (offset, line) in enumerate(binary_lines(piece, limit, tally), 1):
        found: str | PreprocessingError
        if line is None:
            found = long_line(f"{piece.file} from byte {piece.start}", number, limit)
        elif b"\0" in line:
            found = PreprocessingError(f"{piece.file} holds a NUL byte at offset {offset + line.find(0)}")
        else:
            try:
                found = line.decode(encoding if offset == 0 else encoding.removesuffix("-sig"))
            except UnicodeDecodeError as error:
                found = undecodable(piece.file, encoding, error, offset, OPTION)
        yield f"byte={offset}", found


def _wide_lines(
    piece: Split, encoding: str, options: ReaderOptions, tally: Tally
) -> Iterator[tuple[str, str | PreprocessingError]]:
    limit, number = options.limits.line_bytes, 0
    with io.TextIOWrapper(open_piece(piece, tally), encoding, _MARKS, None) as stream:
        while line := stream.readline(limit + 1):
            number += 1
            found: str | PreprocessingError = line.rstrip("\n")
            if _MARK in line:
                found = PreprocessingError(f"{piece.file} is not valid {encoding} in line {number}")
            elif len(line) > limit and not line.endswith("\n"):
                found = long_line(piece.file, number, limit)
            while len(line) > limit and not line.endswith("\n"):
                line = stream.readline(limit + 1)
            yield f"line={number}", found
