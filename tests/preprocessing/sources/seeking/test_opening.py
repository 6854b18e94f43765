import bz2
import gzip
import random
from dataclasses import replace
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.seeking.cutting import cut_lines
from preprocessing.sources.seeking.opening import open_head, open_stream
from preprocessing.sources.split import Split
from preprocessing.sources.stored_stream import PlainStream

from .conftest import FORMATS, json_lines, whole_file, xz_stream


def text_of(stream: PlainStream) -> tuple[bytes, bytes]:
    """What lies in the range and what lies beyond."""
    inside = beyond = b""
    while piece := stream.read():
        if stream.beyond:
            beyond += piece
        else:
            inside += piece
    stream.close()
    return inside, beyond


def compressed(format_: str, text: bytes) -> bytes:
    if format_ == "xz":
        return xz_stream([text[at : at + 50_000] for at in range(0, len(text), 50_000)], 4)
    return bz2.compress(text, 1) if format_ == "bz2" else gzip.compress(text)


@pytest.mark.parametrize("format_", ["bz2", "gzip", "xz"])
def test_a_range_and_what_lies_beyond_it(tmp_path: Path, generator: random.Random, format_: str) -> None:
    text = json_lines(generator, 400_000)
    path = tmp_path / "input"
    path.write_bytes(compressed(format_, text))
    pieces = cut_lines(whole_file("jsonlines", path), 20_000, (b"\n",), is_text=False)
    assert len(pieces) > 2
    for piece in pieces:
        assert text_of(open_stream(piece)) == (text[piece.start : piece.end], text[piece.end :])
        assert open_head(piece).read() == text[: len(open_head(piece).read())]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_that_changed_since_it_was_planned_is_noticed(
    tmp_path: Path, generator: random.Random, format_: str
) -> None:
    """Other text of the same length behind the same cuts: the sums of the ranges differ."""
    path = tmp_path / "input"
    text = json_lines(generator, 400_000)
    path.write_bytes(FORMATS[format_](random.Random(3), text))
    pieces = cut_lines(whole_file("jsonlines", path), 20_000, (b"\n",), is_text=False)
    at = (pieces[1].start + pieces[1].end) // 2
    path.write_bytes(FORMATS[format_](random.Random(3), text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]))
    with pytest.raises(PreprocessingError):
        text_of(open_stream(pieces[1]))
    path.write_bytes(FORMATS[format_](random.Random(3), text[: len(text) // 3]))
    with pytest.raises(PreprocessingError):
        text_of(open_stream(pieces[-1]))


def test_the_sentence_for_a_changed_range(tmp_path: Path, generator: random.Random) -> None:
    path = tmp_path / "input"
    path.write_bytes(gzip.compress(json_lines(generator, 400_000)))
    piece = cut_lines(whole_file("jsonlines", path), 20_000, (b"\n",), is_text=False)[0]
    sentence = r"^input does not hold between its bytes 0 and [\d,]+, decoded, what it held when the build was planned"
    for end in (piece.end - 1, piece.end + 10_000_000):
        with pytest.raises(PreprocessingError, match=sentence):
            text_of(open_stream(replace(piece, end=end)))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    for compression in ("bz2-blocks", "gzip"):
        with pytest.raises(PreprocessingError, match="gone cannot be read: No such file"):
            open_stream(Split("wikipedia", str(tmp_path / "gone"), "gone", 0, 10, compression))
