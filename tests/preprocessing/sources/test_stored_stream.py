"""What may stand before, between and behind compressed streams: read as the tool of each format reads it."""

import bz2
import gzip
import lzma
import struct
import zlib
from pathlib import Path

import pytest
import zstandard

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import TRAILING_BYTES, detect_compression, open_piece, open_range
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.sources.stored_stream import StoredStream
from preprocessing.tally import Tally

FIRST, SECOND = b"a first text " * 9, b"and a second " * 9


def skippable(content: bytes, number: int = 0) -> bytes:
    return struct.pack("<II", 0x184D2A50 + number, len(content)) + content


def gzip_with_fields(data: bytes) -> bytes:
    """A member with an extra field, a name, a comment and a checksum of its header."""
    plain = gzip.compress(data)
    head = plain[:3] + b"\x1e" + plain[4:10] + b"\x05\x00extra" + b"name\0" + b"comment\0"
    return head + struct.pack("<H", zlib.crc32(head) & 0xFFFF) + plain[10:]


def piece_of(path: Path) -> Split:
    return Split("jsonlines", str(path), path.name, 0, path.stat().st_size, detect_compression(str(path)))


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(skippable(b"x" * 9) + zstandard.compress(FIRST), id="zstd: a skippable frame first"),
        pytest.param(skippable(b"") + skippable(b"y", 15) + zstandard.compress(FIRST), id="zstd: two of them"),
        pytest.param(skippable(b"x" * 5000) + zstandard.compress(FIRST), id="zstd: one longer than what is fed"),
        pytest.param(zstandard.compress(FIRST) + skippable(b"index"), id="zstd: one at the end"),
        pytest.param(zstandard.compress(b"") + zstandard.compress(FIRST), id="zstd: an empty frame"),
        pytest.param(gzip.compress(FIRST, mtime=0) + bytes(1), id="gzip: one zero behind"),
        pytest.param(gzip.compress(FIRST, mtime=0) + bytes(70_000), id="gzip: zeros to the end of a block"),
        pytest.param(
            gzip.compress(b"", mtime=0) + gzip.compress(FIRST, mtime=0) + gzip.compress(b"", mtime=0),
            id="gzip: empty members",
        ),
        pytest.param(gzip_with_fields(FIRST), id="gzip: every field of a header"),
        pytest.param(lzma.compress(FIRST) + bytes(4), id="xz: padding"),
        pytest.param(lzma.compress(FIRST) + bytes(300_000), id="xz: much padding"),
        pytest.param(bz2.compress(b"") + bz2.compress(FIRST) + bz2.compress(b""), id="bz2: empty streams"),
    ],
)
def test_what_stands_around_a_stream_is_passed_over(
    tmp_path: Path, stored: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(stored)
    for size in (1, 3, 7, 1 << 18):
        monkeypatch.setattr("preprocessing.sources.stored_stream._STORED_BYTES", size if len(stored) < 9999 else 4096)
        monkeypatch.setattr("preprocessing.sources.stored_stream._ZSTD_STORED_BYTES", size)
        with open_range(str(path), path.name, detect_compression(str(path))) as stream:
            assert stream.read() == FIRST


@pytest.mark.parametrize(
    ("stored", "between"),
    [
        (gzip.compress, bytes(1)),
        (gzip.compress, bytes(511)),
        (lzma.compress, bytes(4)),
        (lzma.compress, bytes(512)),
        (zstandard.compress, skippable(b"between")),
    ],
)
def test_so_is_what_stands_between_two(tmp_path: Path, stored: object, between: bytes) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(stored(FIRST) + between + stored(SECOND) + between)  # type: ignore[operator]
    with open_range(str(path), path.name, detect_compression(str(path))) as stream:
        assert stream.read() == FIRST + SECOND


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
@pytest.mark.parametrize("behind", [b"\r\n", b"-- the end --", b"\x1a" * 128, b"\0\0x"])
def test_a_few_bytes_behind_the_end_are_counted(tmp_path: Path, compress: object, behind: bytes) -> None:
    path = tmp_path / "rows.dat"
    path.write_bytes(compress(FIRST) + behind)  # type: ignore[operator]
    tally = Tally()
    with open_piece(piece_of(path), tally) as stream:
        assert stream.read() == FIRST
        assert stream.read() == b""
    ignored = len(behind.lstrip(b"\0")) if compress is gzip.compress else len(behind)
    assert tally.counters == {TRAILING_BYTES: ignored}
    assert [(r.locator, r.reason) for r in tally.damage] == [
        ("rows.dat", f"{ignored} bytes behind the end of its compressed data were not read")
    ]
    with (
        pytest.raises(PreprocessingError, match=r"rows\.dat is damaged near byte"),
        open_piece(piece_of(path)) as stream,
    ):  # who keeps no counters cannot say it
        stream.read()


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (lzma.compress(FIRST) + bytes(3), "3 zero bytes behind a stream, not a multiple of four"),
        (lzma.compress(FIRST) + bytes(6) + lzma.compress(SECOND), "6 zero bytes behind a stream"),
        (lzma.compress(FIRST) + b"rubbish", "what follows its last stream is none"),
        (zstandard.compress(FIRST) + bytes(8), "what follows its last stream is none"),
        (gzip.compress(FIRST, mtime=0) + b"x" * 70_000, "a stream does not begin as one"),
        (gzip.compress(FIRST, mtime=0) + b"x" + gzip.compress(SECOND, mtime=0)[1:], "a stream does not begin as one"),
        (
            gzip.compress(FIRST, mtime=0) + b"\x1fx" + gzip.compress(SECOND, mtime=0)[2:],
            "a stream does not begin as one",
        ),
        (bz2.compress(FIRST) + b"BZ" + bz2.compress(SECOND), "a stream does not begin as one"),
        (bz2.compress(FIRST) + b"x" + bz2.compress(SECOND)[1:], "a stream does not begin as one"),
        (bz2.compress(FIRST) + b"x" + bz2.compress(b"")[1:], "a stream does not begin as one"),
    ],
)
def test_a_damaged_stream_is_not_taken_for_an_end(tmp_path: Path, stored: bytes, reason: str) -> None:
    path = tmp_path / "file.dat"
    path.write_bytes(stored)
    with StoredStream(str(path), "file.dat", detect_compression(str(path))) as stream:
        assert stream.read() == FIRST
        with pytest.raises(PreprocessingError, match=rf"file\.dat is damaged near byte [\d,]+ \(.*{reason}"):
            stream.read()


@pytest.mark.parametrize(("compress", "zeros"), [(gzip.compress, 5000), (lzma.compress, 64)])
def test_files_with_padding_are_cut_like_others(tmp_path: Path, compress: object, zeros: int) -> None:
    rows = [b"".join(b'{"text": "row %d of part %d"}\n' % (n * n % 977, part) for n in range(3000)) for part in (0, 1)]
    path = tmp_path / "rows.dat"
    path.write_bytes(b"".join(compress(part) + bytes(zeros) for part in rows))  # type: ignore[operator]
    splits = plan_splits(InputOptions(jsonlines=(str(path),)), 1 << 10)
    assert len(splits) > 1
    assert b"".join(open_piece(split).read() for split in splits) == b"".join(rows)


def test_a_dump_whose_checksum_is_wrong_is_not_cut(tmp_path: Path) -> None:
    """Ranges do not see the checksum of a gzip member; the pass that plans them does."""
    pages = b"".join(b"<page><id>%d</id><text>%d</text></page>\n" % (n, n * n * 7919 % 10007) for n in range(20_000))
    stored = gzip.compress(b"<mediawiki>" + pages + b"</mediawiki>")
    path = tmp_path / "dump.xml.gz"
    found = []
    for checksum in (stored[-8:-4], bytes(4)):
        path.write_bytes(stored[:-8] + checksum + stored[-4:])
        found.append(plan_splits(InputOptions(wikipedia=(str(path),)), 1 << 14))
    assert len(found[0]) > 1
    assert len(found[1]) == 1
    with (
        pytest.raises(PreprocessingError, match=r"dump\.xml\.gz is damaged near byte .*incorrect data check"),
        open_piece(found[1][0]) as stream,
    ):
        stream.read()


def test_data_that_is_whole_and_cannot_be_decoded_is_not_to_be_fetched_again(tmp_path: Path) -> None:
    dictionary = zstandard.train_dictionary(2048, [b"line %d of the samples for a dictionary" % n for n in range(2000)])
    path = tmp_path / "d.zst"
    path.write_bytes(zstandard.ZstdCompressor(dict_data=dictionary).compress(b"line 7 of the samples"))
    with (
        StoredStream(str(path), path.name, "zstd") as stream,
        pytest.raises(PreprocessingError, match=r"^d\.zst was compressed with a dictionary.*; unpack it, or compress"),
    ):
        stream.read()
