import io
import random
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.seeking.seek_points import NotSeekableError
from preprocessing.sources.seeking.zstd_frames import zstd_points

SKIPPED = b"\x5a\x2a\x4d\x18\x04\0\0\0size"


def frames() -> list[bytes]:
    """Of every kind of header, with blocks that are compressed, raw and of one repeated byte."""
    source = random.Random(1)
    found = [SKIPPED]
    for size in (0, 1, 255, 256, 65_791, 70_000, 400_000):
        for text in (bytes(size), source.randbytes(size), b"text and more text " * (size // 19)):
            for checksum in (False, True):
                for content_size in (False, True):
                    coder = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=content_size)
                    found.append(coder.compress(text))
    return found


def test_every_frame_is_found() -> None:
    parts = frames()
    stored = b"".join(parts)
    begins = [sum(map(len, parts[:number])) for number in range(len(parts))]
    assert [point.bit // 8 for point in zstd_points(io.BytesIO(stored), len(stored), 1)] == begins
    spaced = [point.bit // 8 for point in zstd_points(io.BytesIO(stored), len(stored), 1000)]
    assert set(spaced) < set(begins)
    assert all(b - a >= 1000 for a, b in pairwise(spaced))


def test_what_is_no_whole_file_is_refused() -> None:
    stored = zstandard.compress(random.Random(1).randbytes(200_000))
    for broken in (stored[:-1], stored[:3], stored[:100_000], stored + b"garbage", stored + b"x"):
        with pytest.raises(NotSeekableError):
            zstd_points(io.BytesIO(broken), len(broken), 1)


def test_a_file_that_begins_with_a_frame_to_skip_is_zstandard(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(SKIPPED + zstandard.compress(b"text"))
    assert detect_compression(str(path)) == "zstd"
