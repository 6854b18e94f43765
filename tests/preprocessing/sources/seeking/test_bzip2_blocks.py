import bz2
import io
import random
from pathlib import Path

import numpy as np
import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.bzip2 import BLOCK_MARK, END_MARK
from preprocessing.sources.seeking import bzip2_blocks, bzip2_marks
from preprocessing.sources.seeking.bzip2_blocks import Bzip2BlockStream
from preprocessing.sources.seeking.bzip2_marks import bzip2_points, find_marks
from preprocessing.sources.stored_stream import TruncatedInputError

from .conftest import json_lines, to_bz2


def all_of(path: Path, start: int = 0, end: int | None = None) -> list[tuple[bytes, bool]]:
    found = []
    with Bzip2BlockStream(str(path), "file.bz2", start, end) as stream:
        while piece := stream.read():
            found.append((piece, stream.beyond))
    return found


@pytest.mark.parametrize("mark", [BLOCK_MARK, END_MARK])
@pytest.mark.parametrize("shift", range(8))
def test_a_mark_is_found_at_any_bit(mark: int, shift: int) -> None:
    for place in (0, 1, 100, 2000):
        value = mark << (80 - shift)
        data = bytes(place) + value.to_bytes(16, "big") + bytes(30)
        (found,) = find_marks(np.frombuffer(data, np.uint8))
        assert found == (8 * place + shift, mark == END_MARK)
        near = bytes(place) + (value ^ 1 << (90 - shift)).to_bytes(16, "big") + bytes(30)
        assert find_marks(np.frombuffer(near, np.uint8)) == []


@pytest.mark.parametrize("stored_bytes", [11, 12, 13, 50, 1000, 4 << 20])
def test_the_size_of_what_is_read_at_once_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored_bytes: int
) -> None:
    text = json_lines(random.Random(1), 300_000)
    path = tmp_path / "file"
    path.write_bytes(to_bz2(random.Random(2), text) + bz2.compress(b"") + bz2.compress(b"short"))
    expected = bzip2_points(path.open("rb"), path.stat().st_size, 1)
    monkeypatch.setattr(bzip2_marks, "_STORED_BYTES", stored_bytes)
    assert bzip2_points(path.open("rb"), path.stat().st_size, 1) == expected
    if stored_bytes >= 1000:
        monkeypatch.setattr(bzip2_blocks, "_STORED_BYTES", stored_bytes)
        assert b"".join(piece for piece, _ in all_of(path)) == text + b"short"


def test_many_marks_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.frombuffer(BLOCK_MARK.to_bytes(6, "big") * 500 + bytes(10), np.uint8)
    expected = [(48 * number, False) for number in range(500)]
    assert find_marks(data) == expected
    monkeypatch.setattr(bzip2_marks, "_MARKS_AT_ONCE", 7)
    assert find_marks(data) == expected


def test_ranges_are_whole_blocks(tmp_path: Path) -> None:
    text = json_lines(random.Random(1), 500_000)
    path = tmp_path / "file"
    path.write_bytes(bz2.compress(text[:300_000], 1) + bz2.compress(b"") + bz2.compress(text[300_000:], 1))
    points = [point.bit for point in bzip2_points(path.open("rb"), path.stat().st_size, 1)]
    assert len(points) > 5
    read = b""
    for start, end in zip(points, [*points[1:], 8 * path.stat().st_size], strict=True):
        pieces = all_of(path, start, end)
        read += b"".join(piece for piece, beyond in pieces if not beyond)
        assert text.startswith(read)
        assert text[len(read) :] == b"".join(piece for piece, beyond in pieces if beyond)
    with pytest.raises(PreprocessingError, match="no block begins at bit"):
        all_of(path, points[1], points[2] + 5)


def test_damage_and_ends_are_the_sentences_of_whole_reading(tmp_path: Path) -> None:
    stored = bz2.compress(json_lines(random.Random(1), 250_000), 1)
    path = tmp_path / "file"
    start = bzip2_points(io.BytesIO(stored), len(stored), 1)[1].bit
    for length in (start // 8 + 3, start // 8 + 1000, len(stored) - 1):
        path.write_bytes(stored[:length])
        with pytest.raises(TruncatedInputError, match=rf"^file.bz2 ends inside its bz2 data at byte {length:,};"):
            all_of(path, start)
    for place in (start // 8 + 2, start // 8 + 8, start // 8 + 500):
        broken = bytearray(stored)
        broken[place] ^= 1
        path.write_bytes(broken)
        with pytest.raises(PreprocessingError, match=r"^file.bz2 is damaged near byte [\d,]+ \(bz2: .*\); fetch"):
            all_of(path, start)
    # Of a stream that is read from its start, the sum of all blocks too.
    broken = bytearray(stored)
    broken[-3] ^= 1
    path.write_bytes(broken)
    with pytest.raises(PreprocessingError, match="is damaged near byte"):
        all_of(path)
    for tail in (b"no stream", b"BZh0", b"BZ"):
        path.write_bytes(stored + tail)
        with pytest.raises(PreprocessingError):
            all_of(path, start)


def test_a_block_of_one_byte_repeated_is_read(tmp_path: Path) -> None:
    text = b"a" * 30_000_000
    path = tmp_path / "file"
    path.write_bytes(bz2.compress(text))
    assert b"".join(piece for piece, _ in all_of(path)) == text
