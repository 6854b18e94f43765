"""Texts of each source and what compresses them, made from a seed."""

import bz2
import json
import lzma
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.readers import reader_of
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

Documents = tuple[list[tuple[str, str, list[str]]], dict[str, Any]]


def words(source: random.Random, count: int) -> str:
    return " ".join(
        "".join(source.choice("abcdefghijklmnopqrstuvwxyzéß漢") for _ in range(source.randint(1, 12)))
        for _ in range(count)
    )


def json_lines(source: random.Random, size: int) -> bytes:
    def rows() -> Iterator[bytes]:
        yield json.dumps({"text": "the first row is good"}).encode() + b"\n"
        while True:
            kind = source.random()
            end = b"\r\n" if source.random() < 0.1 else b"\n"
            if kind < 0.02:
                yield b"{broken" + end
            elif kind < 0.05:
                yield end
            else:
                count = source.choice([3, 30, 300, 2000])
                yield json.dumps({"text": words(source, count), "title": "t"}, ensure_ascii=False).encode() + end

    return _to_size(rows(), size)


def sentence_lines(source: random.Random, size: int) -> bytes:
    def documents() -> Iterator[bytes]:
        while True:
            end = "\r\n" if source.random() < 0.1 else "\n"
            lines = [words(source, source.randint(1, 40)) for _ in range(source.choice([1, 5, 50]))]
            yield (end.join(lines) + end * source.choice([2, 2, 3])).encode()

    return _to_size(documents(), size)


def dump(source: random.Random, size: int) -> bytes:
    head = b'<mediawiki><siteinfo><namespaces><namespace key="0" /></namespaces></siteinfo>\n'

    def pages() -> Iterator[bytes]:
        number = 0
        while True:
            number += 1
            text = words(source, source.choice([0, 20, 20, 200, 2000]))
            yield (
                f"<page><title>T{number}</title><ns>{number % 7 and 0}</ns><id>{number}</id><revision><id>1</id>"
                f"<model>wikitext</model><text>{text}</text></revision></page>\n"
            ).encode()

    return head + _to_size(pages(), size) + b"</mediawiki>\n"


def _to_size(parts: Iterator[bytes], size: int) -> bytes:
    found, total = [], 0
    while total < size:
        found.append(next(parts))
        total += len(found[-1])
    return b"".join(found)


TEXTS: dict[str, Callable[[random.Random, int], bytes]] = {
    "wikipedia": dump,
    "jsonlines": json_lines,
    "sentences": sentence_lines,
}


def in_parts(source: random.Random, data: bytes, count: int) -> list[bytes]:
    cuts = sorted(source.randrange(len(data) + 1) for _ in range(count - 1))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def to_bz2(source: random.Random, data: bytes) -> bytes:
    """Streams of level 1 (blocks of 100 kB) or 2, some of them empty."""
    parts = in_parts(source, data, source.choice([1, 1, 2, 3])) + [b""] * source.choice([0, 0, 1])
    return b"".join(bz2.compress(part, source.choice([1, 1, 2])) for part in parts)


def to_gzip(source: random.Random, data: bytes) -> bytes:
    """Members of all levels and strategies, flushed here and there, with and without names."""

    def member(part: bytes) -> bytes:
        kind = source.choice([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE])
        coder = zlib.compressobj(source.randint(0, 9), zlib.DEFLATED, -15, source.randint(1, 9), kind)
        body = b""
        for piece in in_parts(source, part, source.choice([1, 3, 9])):
            flush = source.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH])
            body += coder.compress(piece) + coder.flush(flush)
        flags, fields = source.choice(
            [(0, b""), (8, b"name\0"), (16, b"comment\0"), (4, b"\3\0abc"), (30, b"\1\0\0n\0c\0\0\0"), (2, b"\0\0")]
        )
        head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + fields
        if flags & 2:
            head = head[:-2] + struct.pack("<H", zlib.crc32(head[:-2]) & 0xFFFF)
        return head + body + coder.flush() + struct.pack("<II", zlib.crc32(part), len(part))

    return b"".join(map(member, in_parts(source, data, source.choice([1, 1, 2, 5]))))


def xz_stream(parts: list[bytes], check: int) -> bytes:
    """One stream of several blocks, put together from streams of one block each."""
    blocks, records, header = [], b"", b""
    for part in parts:
        whole = lzma.compress(part, check=check, preset=0)
        index_bytes = (int.from_bytes(whole[-8:-4], "little") + 1) * 4
        header, flags = whole[:12], whole[-4:-2]
        index = whole[-12 - index_bytes : -12]
        blocks.append(whole[12 : -12 - index_bytes])
        records += index[2:-4].rstrip(b"\0") if index[2:-4].rstrip(b"\0")[-1] < 128 else index[2:-4]
    count = bytes([len(parts)])
    index = b"\0" + count + records
    index += bytes(-len(index) % 4)
    index += struct.pack("<I", zlib.crc32(index))
    tail = struct.pack("<I", len(index) // 4 - 1) + flags
    return header + b"".join(blocks) + index + struct.pack("<I", zlib.crc32(tail)) + tail + b"YZ"


def to_xz(source: random.Random, data: bytes) -> bytes:
    """Streams of blocks with every kind of check."""
    checks = [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256]
    return b"".join(
        xz_stream([part for part in in_parts(source, stream, source.randint(1, 9)) if part], source.choice(checks))
        for stream in in_parts(source, data, source.choice([1, 1, 3]))
        if stream
    )


def to_zstd(source: random.Random, data: bytes) -> bytes:
    """Frames with and without checksums and sizes of content."""
    frames = b""
    for part in in_parts(source, data, source.randint(2, 9)):
        coder = zstandard.ZstdCompressor(
            level=source.choice([-5, 1, 19]),
            write_checksum=source.random() < 0.5,
            write_content_size=source.random() < 0.5,
        )
        frames += coder.compress(part)
    return frames


FORMATS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "bz2": to_bz2,
    "gzip": to_gzip,
    "xz": to_xz,
    "zstd": to_zstd,
}


def whole_file(source: str, path: Path) -> Split:
    return Split(source, str(path), path.name, 0, path.stat().st_size, detect_compression(str(path)))


def read(pieces: list[Split], options: ReaderOptions | None = None) -> Documents:
    """The raw documents of the pieces in order, and the counters."""
    tally = Tally()
    found = [
        (document.locator, document.title, document.paragraphs)
        for piece in pieces
        for document in reader_of(piece.source)(piece, options or ReaderOptions(), tally)
    ]
    return found, tally.to_json()


@pytest.fixture
def generator() -> random.Random:
    return random.Random(20260901)
