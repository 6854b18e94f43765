"""Streams of stored bytes: what they are, ranges of them, and where bz2 streams begin."""

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from preprocessing.errors import PreprocessingError
from preprocessing.sources import stored_stream
from preprocessing.sources.decompression import detect_compression, open_range
from preprocessing.sources.stored_stream import PIECE_BYTES, StoredStream, TruncatedInputError
from preprocessing.sources.wikipedia.split_points import next_bzip2_stream, split_points

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "bz2": bz2.compress,
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstandard.compress,
}
TEXT = "".join(f"line {number * number * 7919 % 1_000_003}\n" for number in range(130_000)).encode()


def pieces(path: Path, compression: str, start: int = 0, end: int | None = None) -> list[tuple[bytes, bool]]:
    with StoredStream(str(path), path.name, compression, start, end) as stream:
        found = []
        while piece := stream.read():
            found.append((piece, stream.beyond))
        return found


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_file_is_known_by_its_first_bytes_and_read_in_pieces(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(COMPRESS[compression](TEXT))
    assert detect_compression(str(path)) == compression
    found = pieces(path, compression)
    assert b"".join(piece for piece, _ in found) == TEXT
    assert len(found) > 1
    assert max(len(piece) for piece, _ in found) <= 2 * PIECE_BYTES
    with open_range(str(path), path.name, compression) as stream:
        assert stream.read() == TEXT


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_range_ends_where_it_ends_and_the_rest_lies_beyond(tmp_path: Path, compression: str) -> None:
    parts = [COMPRESS[compression](part) for part in (b"first ", b"second ", b"third")]
    path = tmp_path / "file.dat"
    path.write_bytes(b"".join(parts))
    start, end = len(parts[0]), len(parts[0]) + len(parts[1])
    found = pieces(path, compression, start, end)
    assert b"".join(piece for piece, beyond in found if not beyond) == b"second "
    assert b"".join(piece for piece, beyond in found if beyond) == b"third"
    with open_range(str(path), path.name, compression, start, end) as stream:
        assert stream.read() == b"second "


@pytest.mark.parametrize("compression", ["bz2", "gzip", "xz", "zstd"])
@pytest.mark.parametrize("stored", [1, 2, 3, 5, 8, 13, 1 << 18])
def test_the_last_bytes_of_a_range_may_hold_no_text(
    tmp_path: Path, compression: str, stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be a checksum alone; what was decoded before them is of the range all the same."""
    monkeypatch.setattr(stored_stream, "_STORED_BYTES", stored)
    monkeypatch.setattr(stored_stream, "_ZSTD_STORED_BYTES", stored)
    compress = COMPRESS[compression]
    if compression == "zstd":  # with checksums, as the command line tool writes them
        compress = zstandard.ZstdCompressor(write_checksum=True).compress
    parts = [compress(TEXT[: 900 * number]) for number in (1, 2, 3)]
    path = tmp_path / "file.dat"
    path.write_bytes(b"".join(parts))
    start, end = len(parts[0]), len(parts[0]) + len(parts[1])
    found = pieces(path, compression, start, end)
    assert b"".join(piece for piece, beyond in found if not beyond) == TEXT[:1800]
    assert b"".join(piece for piece, beyond in found if beyond) == TEXT[:2700]
    with open_range(str(path), path.name, compression, start, end) as stream:
        assert stream.read() == TEXT[:1800]
    with open_range(str(path), path.name, compression, 0, path.stat().st_size) as stream:
        assert stream.read() == TEXT[:900] + TEXT[:1800] + TEXT[:2700]


@pytest.mark.parametrize("compression", ["bz2", "gzip", "xz", "zstd"])
def test_what_was_read_before_the_cut_comes_before_the_error(tmp_path: Path, compression: str) -> None:
    whole, cut = COMPRESS[compression](TEXT[:10_000]), COMPRESS[compression](TEXT)[:-20]
    path = tmp_path / "file.dat"
    path.write_bytes(whole + cut)
    read: list[bytes] = []
    with StoredStream(str(path), "file.dat", compression) as stream:
        with pytest.raises(TruncatedInputError, match=f"file.dat ends inside its {compression} data at byte [0-9,]+;"):
            read.extend(iter(stream.read, b""))
        assert stream.offset == os.path.getsize(path)
        with pytest.raises(PreprocessingError):
            stream.read()
    assert b"".join(read).startswith(TEXT[:10_000])


def test_a_false_mark_is_no_stream(tmp_path: Path) -> None:
    # The ten bytes of a stream's head by chance, behind them no stream.
    first, second = bz2.compress(b"first"), bz2.compress(b"second")
    path = tmp_path / "file.bz2"
    path.write_bytes(first + b"BZh91AY&SY" + b"\xff" * 100 + second)
    size = path.stat().st_size
    assert next_bzip2_stream(str(path), 0, size) == 0
    assert next_bzip2_stream(str(path), 1, size) == size - len(second)
    assert next_bzip2_stream(str(path), size - len(second) + 1, size) is None


def test_a_stream_at_the_seam_of_two_search_windows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = bz2.compress(b"first"), bz2.compress(b"second")
    path = tmp_path / "file.bz2"
    path.write_bytes(first + second)
    for window in range(12, len(first) + 14):
        monkeypatch.setattr("preprocessing.sources.wikipedia.split_points._WINDOW_BYTES", window)
        monkeypatch.setattr("preprocessing.sources.wikipedia.split_points._is_stream", lambda data: data[:3] == b"BZh")
        assert next_bzip2_stream(str(path), 1, len(first + second)) == len(first), window


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_what_cannot_be_cut_is_one_range(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(COMPRESS[compression](TEXT[:1_000]) * 2)
    assert split_points(str(path), 100) == [(0, path.stat().st_size)]
