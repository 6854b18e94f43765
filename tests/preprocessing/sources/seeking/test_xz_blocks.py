import io
import json
import lzma
import random

import pytest

from preprocessing.sources.seeking.seek_points import NotSeekableError
from preprocessing.sources.seeking.xz_blocks import XzFromPoint, xz_points

from .conftest import in_parts, json_lines, words, xz_stream


@pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256])
@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_blocks_are_listed_and_read_from_each(generator: random.Random, check: int, chunk: int) -> None:
    text = json_lines(generator, 100_000)
    parts = [part for part in in_parts(generator, text, 6) if part]
    first = xz_stream(parts, check)
    assert lzma.decompress(first) == text
    stored = first + xz_stream(parts[:2], check)
    points = xz_points(io.BytesIO(stored), len(stored))
    plain = [sum(map(len, parts[:number])) for number in range(len(parts))]
    assert [point.plain for point in points] == [*plain, len(text), len(text) + len(parts[0])]
    for point in points[: len(parts)]:
        decoder, found, at = XzFromPoint(point), b"", point.bit // 8
        while not decoder.eof:
            needs = decoder.needs_input
            found += decoder.decompress(stored[at : at + chunk] if needs else b"", 5000)
            at += chunk if needs else 0
        assert found == text[point.plain :]
        assert decoder.unused_data + stored[at:] == stored[len(first) :]


def test_what_is_no_whole_xz_file_is_refused(generator: random.Random) -> None:
    stored = xz_stream(in_parts(generator, json_lines(generator, 50_000), 3), lzma.CHECK_CRC64)
    short = [stored[:length] for length in (5, 12, 30, 500, len(stored) - 1)]
    for broken in [*short, stored[1:], stored + bytes(3), b"x" * 40, b"x"]:
        with pytest.raises(NotSeekableError):
            xz_points(io.BytesIO(broken), len(broken))
    for place in [*range(12), *range(len(stored) - 60, len(stored))]:
        changed = bytearray(stored)
        changed[place] ^= 4
        try:
            points = xz_points(io.BytesIO(changed), len(changed))
        except NotSeekableError:
            continue
        assert [json.loads(point.state)[1:] for point in points]  # a byte of a block, not of the frame around it
        assert place < len(stored) - 12


def test_damage_in_a_block_is_noticed(generator: random.Random) -> None:
    stored = bytearray(xz_stream([json_lines(generator, 50_000)] * 3, lzma.CHECK_CRC64))
    point = xz_points(io.BytesIO(stored), len(stored))[1]
    stored[point.bit // 8 + 2000] ^= 1
    with pytest.raises(lzma.LZMAError):
        XzFromPoint(point).decompress(bytes(stored[point.bit // 8 :]), 1 << 30)


def is_whole(stored: bytes) -> bool:
    try:
        return bool(lzma.decompress(stored))
    except lzma.LZMAError:
        return False


def test_a_file_whose_pieces_are_in_disorder_is_read_in_one_go(generator: random.Random) -> None:
    """Its end may be that of a good stream, and so its index; a decoder that begins at the front gets nowhere."""
    one, other = (
        xz_stream(parts, lzma.CHECK_CRC32) for parts in ([b"a" * 30, b"b" * 31], [words(generator, 40).encode()])
    )
    stored = one + other + one
    seen = set()
    for start in range(0, len(stored), 4):
        for length in range(4, len(stored) - start, 12):
            for changed in (stored[: start + length] + stored[start:], stored[:start] + stored[start + length :]):
                try:
                    xz_points(io.BytesIO(changed), len(changed))
                except NotSeekableError:
                    seen.add("refused")
                else:
                    assert is_whole(changed)
                    seen.add("cut")
    assert seen == {"refused", "cut"}


@pytest.mark.parametrize(
    "filters",
    [
        [{"id": lzma.FILTER_LZMA2, "preset": 0}],
        [{"id": lzma.FILTER_DELTA, "dist": 3}, {"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 9}],
    ],
)
def test_blocks_of_every_filter_and_of_what_cannot_be_compressed(
    generator: random.Random, filters: list[dict[str, int]]
) -> None:
    text = generator.randbytes(300_000) + json_lines(generator, 3_000_000)
    stored = lzma.compress(text, filters=filters) + lzma.compress(b"end", filters=filters)
    assert [point.plain for point in xz_points(io.BytesIO(stored), len(stored))] == [0, len(text)]
