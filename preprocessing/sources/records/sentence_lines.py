"""Google's own input layout: a sentence a line, a blank line between documents.

The lines are the sentences: they are cleaned, but neither joined nor segmented again. Locator: `byte=N`, where the
document's first line begins in the (decompressed) file; `line=N` in UTF-16 and UTF-32.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.decompression import open_piece, open_range
from preprocessing.sources.encodings import detect_encoding, known_encoding, undecodable
from preprocessing.sources.lines import binary_lines, is_whole_file, long_line, text_lines
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.record_text import NO_RECORDS
from preprocessing.sources.seeking.opening import BZIP2_BLOCKS
from preprocessing.sources.split import Split
from preprocessing.tally import DAMAGED, DOCUMENTS_IN, Tally

DAMAGED_LINES = "sentences.damaged_lines"
"""Lines that were left out: undecodable bytes, or longer than a line may be."""
DAMAGED_DOCUMENTS = f"{DAMAGED}sentence_documents"
"""Documents that lost a line so."""
_FEW_LINES = 50
_OPTION = "--sentences.encoding"
# A line with one byte of another encoding says nothing about the file; where a tenth of them has one, it is another.
_FOREIGN_SHARE = 0.1
_JUDGED_BYTES = 16 << 20
_REPLACEMENT = "\ufffd"


def read_sentence_lines(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """Documents in order; one above the size limit goes on in further documents, with locators of their own.

    A line that cannot be decoded or is above the limit is left out and counted. Counters: `sentences.damaged_lines`;
    `warnings.no_blank_lines` when a file of more than 50 lines has no blank one. Raises PreprocessingError where the
    file is no text, or it is read in one piece and no line of it can be.
    """
    encoding = _encoding(piece, options, tally)
    read = _wide_lines if _is_wide(encoding) else _lines
    sentences: list[str] = []
    locator, characters, lines, bad, blank = "", 0, 0, 0, 0
    fault: PreprocessingError | None = None
    is_damaged = False
    for position, line in read(piece, encoding, options, tally):
        lines += 1
        if isinstance(line, PreprocessingError):
            tally.lose_part(f"{piece.file} {position}", str(line), DAMAGED_LINES)
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


def _is_wide(encoding: str) -> bool:
    return encoding.startswith(("utf-16", "utf-32"))


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
                found = undecodable(piece.file, encoding, error, offset, _OPTION)
        yield f"byte={offset}", found


def _wide_lines(
    piece: Split, encoding: str, options: ReaderOptions, tally: Tally
) -> Iterator[tuple[str, str | PreprocessingError]]:
    with io.TextIOWrapper(open_piece(piece, tally), encoding, "replace", None) as stream:
        for number, line in enumerate(text_lines(stream, piece.file, options.limits.line_bytes), 1):
            is_bad = _REPLACEMENT in line
            fault = PreprocessingError(f"{piece.file} is not valid {encoding} in line {number}") if is_bad else None
            yield f"line={number}", fault or line


def _encoding(piece: Split, options: ReaderOptions, tally: Tally) -> str:
    """That of the file; UTF-8 where but a few lines are none, which are counted when they are met."""
    if options.sentences.encoding:
        return known_encoding(options.sentences.encoding)
    detected = Tally()
    try:
        found = detect_encoding(
            lambda: open_piece(piece, Tally()), piece.file, options.language, option=_OPTION, tally=detected
        )
    except TransientError:
        raise
    except PreprocessingError:
        lines, _, bad = _judged(piece)
        if bad <= _FOREIGN_SHARE * lines:
            return "utf-8"
        raise
    if not (found.startswith("utf-8") or _is_wide(found)):
        _, telling, bad = _judged(piece)
        if bad <= _FOREIGN_SHARE * telling:
            return "utf-8"
    tally.merge(detected)
    return found


def _judged(piece: Split) -> tuple[int, int, int]:
    """Of the file's beginning, or where that is plain ASCII of the piece: its lines, those that are not ASCII, and
    those that are neither UTF-8."""
    compression = "bz2" if piece.compression == BZIP2_BLOCKS else piece.compression
    found = _judged_lines(open_range(piece.path, piece.file, compression))
    return found if found[1] else _judged_lines(open_piece(piece, Tally()))


def _judged_lines(stream: BinaryIO) -> tuple[int, int, int]:
    lines = telling = bad = size = 0
    try:
        with stream:
            while size < _JUDGED_BYTES and (line := stream.readline(_JUDGED_BYTES)):
                lines, size = lines + 1, size + len(line)
                if line.isascii() and b"\0" not in line:
                    continue
                telling += 1
                try:
                    bad += "\0" in line.decode("utf-8")
                except UnicodeDecodeError:
                    bad += 1
    except TransientError:
        raise
    except PreprocessingError:
        pass  # who reads the lines meets it behind those that come before
    return lines, telling, bad
