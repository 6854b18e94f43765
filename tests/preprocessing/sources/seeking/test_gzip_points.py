import gzip
import io
import random
import zlib

import pytest

from preprocessing.sources.seeking import gzip_points as module
from preprocessing.sources.seeking.gzip_points import GzipFromPoint, gzip_points
from preprocessing.sources.seeking.seek_points import NotSeekableError, PlainRange, SeekPoint

from .conftest import json_lines, to_gzip


def rest_of(stored: bytes, point: SeekPoint, chunk: int) -> tuple[bytes, bytes]:
    """The text of a member from a point on, and what follows the member."""
    decoder = GzipFromPoint(point)
    text, at = b"", point.bit // 8
    while not decoder.eof:
        needs = decoder.needs_input
        text += decoder.decompress(stored[at : at + chunk] if needs else b"", 1000)
        at += chunk if needs else 0
    return text, decoder.unused_data + stored[at:]


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
def test_every_bit_of_a_byte_is_a_place_to_begin(generator: random.Random, chunk: int) -> None:
    text = json_lines(generator, 200_000)
    stored = gzip.compress(text)
    points = gzip_points(io.BytesIO(stored), 1)[1:]
    shifts = {}
    for point in points:
        shifts.setdefault(point.bit % 8, point)
    assert len(points) > 5
    for point in shifts.values():
        assert point.state == text[max(0, point.plain - 32768) : point.plain]
        assert rest_of(stored + b"more", point, chunk) == (text[point.plain :], b"more")


@pytest.mark.parametrize("shift", range(8))
def test_what_fills_the_bits_before_a_point_says_nothing(shift: int) -> None:
    """A block behind each number of bits: fixed codes, dynamic ones, and a stored one, which is aligned to a byte."""
    for level, strategy in ((9, zlib.Z_FIXED), (9, zlib.Z_DEFAULT_STRATEGY), (0, zlib.Z_DEFAULT_STRATEGY)):
        coder = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
        text = b"a block of text " * 40 + bytes(range(256))
        stored = coder.compress(text) + coder.flush()
        value = int.from_bytes(stored, "little")
        if level == 0:  # the three bits of its head move, the rest begins at the next whole byte
            moved = ((value & 7) << shift).to_bytes((shift + 3 + 7) // 8, "little") + stored[1:]
        else:
            moved = (value << shift | ((1 << shift) - 1)).to_bytes(len(stored) + 1, "little")
        decoder = zlib.decompressobj(-15)
        assert decoder.decompress(module._entered(shift, moved)) == text


@pytest.mark.parametrize("seed", range(12))
def test_members_of_all_kinds_are_entered(seed: int) -> None:
    source = random.Random(seed)
    text = json_lines(source, 150_000)
    stored = to_gzip(source, text)
    points = gzip_points(io.BytesIO(stored), 500)
    assert points[0] == SeekPoint(0)
    for point in points[1:]:
        following, behind = rest_of(stored, point, 1000)
        assert following + (gzip.decompress(behind) if behind else b"") == text[point.plain :]


@pytest.mark.parametrize("sizes", [(70_000, 2000), (80_000, 1 << 16)])
def test_small_buffers_change_nothing(
    generator: random.Random, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, int]
) -> None:
    stored = to_gzip(random.Random(4), json_lines(generator, 200_000))
    expected = gzip_points(io.BytesIO(stored), 500)
    monkeypatch.setattr(module, "_STORED_BYTES", sizes[0])
    monkeypatch.setattr(module, "_OUTPUT_BYTES", sizes[1])
    assert gzip_points(io.BytesIO(stored), 500) == expected


def test_what_is_no_whole_gzip_file_is_refused(generator: random.Random) -> None:
    stored = gzip.compress(json_lines(generator, 20_000))
    assert gzip_points(io.BytesIO(stored), 1 << 20) == [SeekPoint(0)]
    for length in [*range(30), *range(30, len(stored), 97), len(stored) - 1]:
        if length:
            with pytest.raises(NotSeekableError):
                gzip_points(io.BytesIO(stored[:length]), 500)
    for broken in (stored + b"x", stored[:-1] + b"\xff", stored[:-5] + bytes([stored[-5] ^ 1]) + stored[-4:]):
        with pytest.raises(NotSeekableError):
            gzip_points(io.BytesIO(broken), 500)


def test_no_bytes_at_all_do_harm() -> None:
    """Whatever stands behind a header: refused, or decoded as zlib does."""
    source = random.Random(1)
    head = gzip.compress(b"")[:10]
    for _ in range(300):
        stored = head + source.randbytes(source.choice([3, 50, 2000]))
        try:
            gzip_points(io.BytesIO(stored), 500)
        except NotSeekableError:
            continue
        gzip.decompress(stored)


def test_a_range_travels_as_a_line_of_text(generator: random.Random) -> None:
    found = PlainRange(SeekPoint(12_345_678_901, 99, generator.randbytes(5000)), 7, 8)
    assert PlainRange.from_text(found.to_text()) == found
    assert "\n" not in found.to_text()
    assert found.to_text().isascii()
