"""The encoding of a file of sentences: one for the whole file, however it is cut, and whatever a few lines hold.

Every piece of a file comes to the same answer, since all judge the same sample: a small file, the first 16 MiB of a
compressed one and then its first part that is not ASCII, or of a plain one 16 parts of 1 MiB that are spread evenly.
"""

import io
from typing import BinaryIO

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.decompression import open_range
from preprocessing.sources.encodings import detect_encoding, known_encoding
from preprocessing.sources.lines import is_whole_file
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.seeking.opening import BZIP2_BLOCKS
from preprocessing.sources.split import Split
from preprocessing.storage import status
from preprocessing.tally import Tally

OPTION = "--sentences.encoding"
_PARTS, _PART_BYTES = 16, 1 << 20
# A few lines in another encoding are damage; where a tenth of those that tell one are, it is the file's.
_FOREIGN_SHARE = 0.1
_FEW_LINES = 5
_UNICODE = ("utf-8", "utf-16", "utf-32")
_SEARCHED_BYTES = 64 << 20


def sentence_encoding(piece: Split, options: ReaderOptions, tally: Tally) -> str:
    """That of the piece's file; UTF-8 where but a few lines are none, which are counted when they are met.

    Counters, with the file's first piece: those of `detect_encoding`. Raises PreprocessingError where no encoding fits.
    """
    if options.sentences.encoding:
        return known_encoding(options.sentences.encoding)
    sample, detected = _sample(piece), Tally()
    try:
        found = detect_encoding(lambda: io.BytesIO(sample), piece.file, options.language, option=OPTION, tally=detected)
    except PreprocessingError:
        lines, telling, bad = _judged(sample)
        if bad > max(_FOREIGN_SHARE * telling, min(_FEW_LINES, _FOREIGN_SHARE * lines)):
            raise
        found = ""
    if not found or (not found.startswith(_UNICODE) and _is_damaged_utf8(sample)):
        found, detected = "utf-8", Tally()
        detected.count("encodings.utf-8")
    if piece.start == 0:
        tally.merge(detected)
    return found


def is_wide(encoding: str) -> bool:
    """Whether line feeds are no single bytes in it."""
    return encoding.startswith(("utf-16", "utf-32"))


def _sample(piece: Split) -> bytes:
    if piece.compression:
        compression = "bz2" if piece.compression == BZIP2_BLOCKS else piece.compression
        # Planning cuts only compressed files that are UTF-8 as a whole: what is cut need not be searched to its end.
        limit = None if is_whole_file(piece) else _SEARCHED_BYTES
        return _beginning(open_range(piece.path, piece.file, compression), limit)
    size = status(piece.path).st_size
    if size <= _PARTS * _PART_BYTES:
        return _beginning(open_range(piece.path, piece.file, "", 0, size))
    starts = [(size - _PART_BYTES) * number // (_PARTS - 1) for number in range(_PARTS)]
    parts = (open_range(piece.path, piece.file, "", start, start + _PART_BYTES) for start in starts)
    return b"".join(_whole_lines(_beginning(part), start) for part, start in zip(parts, starts, strict=True))


def _beginning(stream: BinaryIO, limit: int | None = None) -> bytes:
    """The first 16 MiB; where these are plain ASCII, the next part that is not as well."""
    parts: list[bytes] = []
    searched, is_ascii = 0, True
    try:
        with stream:
            while block := stream.read(_PART_BYTES):
                searched += len(block)
                if searched <= _PARTS * _PART_BYTES:
                    parts.append(block)
                    is_ascii = is_ascii and block.isascii()
                    continue
                if is_ascii and not block.isascii():
                    parts.append(block)
                if not is_ascii or not block.isascii() or (limit and searched >= limit):
                    return _whole_lines(b"".join(parts), 0)
    except TransientError:
        raise
    except PreprocessingError:  # who reads the lines meets it behind those that come before
        return _whole_lines(b"".join(parts), 0)
    return b"".join(parts)


def _whole_lines(part: bytes, start: int) -> bytes:
    """A part of a file, from `start`, without the lines that begin before it or end behind it."""
    begin, end = part.find(b"\n") + 1 if start else 0, part.rfind(b"\n") + 1
    return part[begin:end] if end or start else part


def _is_damaged_utf8(sample: bytes) -> bool:
    _, telling, bad = _judged(sample)
    # Of ASCII no line tells anything: what hides in it was found by its signs.
    return telling > 0 and bad <= _FOREIGN_SHARE * telling


def _judged(sample: bytes) -> tuple[int, int, int]:
    """Lines, those that are not ASCII, and those that are neither UTF-8."""
    lines = telling = bad = 0
    for line in io.BytesIO(sample):
        lines += 1
        if line.isascii() and b"\0" not in line:
            continue
        telling += 1
        try:
            bad += "\0" in line.decode("utf-8")
        except UnicodeDecodeError:
            bad += 1
    return lines, telling, bad
