import io
import json
import lzma
import random

import pytest

from preprocessing.sources.seeking.seek_points import NotSeekableError
from preprocessing.sources.seeking.xz_blocks import XzFromPoint, xz_points

from .conftest import in_parts, json_lines, xz_stream


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
