"""Bounded reading of lines: memory never grows with a line or a file."""

from collections.abc import Iterator
from typing import TextIO

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import open_piece
from preprocessing.sources.seeking.opening import BZIP2_BLOCKS, Piece
from preprocessing.sources.split import Split
from preprocessing.storage import status
from preprocessing.tally import Tally

NO_RECORDS = "warnings.files_without_records"
"""Files that can be read and hold nothing."""


def binary_lines(piece: Split, limit_bytes: int, tally: Tally | None = None) -> Iterator[tuple[int, bytes | None]]:
    """(offset, line without its end) for each line of the piece; None stands for a line above the limit.

    Offsets count plain bytes from the start of the file (of the decompressed stream where it is compressed).
    `tally` is that of `open_piece`. Raises PreprocessingError for a broken compressed stream.
    """
    offset = piece.start
    with open_piece(piece, tally) as stream:
        while line := stream.readline(limit_bytes + 1):
            begin = offset
            offset += len(line)
            if len(line) <= limit_bytes or line.endswith(b"\n"):
                yield begin, line.rstrip(b"\r\n")
                continue
            while line and not line.endswith(b"\n"):
                line = stream.readline(1 << 20)
                offset += len(line)
            yield begin, None


def is_whole_file(piece: Piece) -> bool:
    """Whether the piece is all of its file: only then what the piece lacks is lacking in the file."""
    if piece.start or piece.seek or piece.compression == BZIP2_BLOCKS:
        return False
    return piece.end >= status(piece.path).st_size


def text_lines(stream: TextIO, name: str, limit_characters: int) -> Iterator[str]:
    """Lines without their ends. Raises PreprocessingError, naming the line, for one too long or undecodable."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(limit_characters + 1)
        except UnicodeDecodeError as error:
            raise PreprocessingError(
                f"{name} is not valid {error.encoding} near line {number}; convert it to UTF-8 or name its "
                "encoding by --books.encoding."
            ) from error
        if not line:
            return
        if len(line) > limit_characters and not line.endswith("\n"):
            raise long_line(name, number, limit_characters)
        yield line[:-1] if line[-1] == "\n" else line


def long_line(name: str, number: int, limit: int) -> PreprocessingError:
    """The one sentence for a line that is too long to be a line of text."""
    return PreprocessingError(
        f"{name}, line {number} is longer than {in_bytes(limit)}, so the file does not look like "
        "lines of text; break the line or raise --limits.line-bytes."
    )


def in_bytes(limit: int) -> str:
    """A limit for messages: 16 MiB, or 1,000 bytes."""
    return f"{limit >> 20:,} MiB" if limit and not limit % (1 << 20) else f"{limit:,} bytes"
