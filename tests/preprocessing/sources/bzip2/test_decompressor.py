import bz2
import random
from typing import Any

import pytest

from preprocessing.sources.bzip2 import Bzip2Decompressor, framing
from preprocessing.sources.bzip2 import decompressor as module

WORDS = ["the", "of", "and", "[[Category:", "&lt;ref&gt;", "    ", "======", "привет", "維基百科", "\n", "1984", "."]


def prose(seed: int, size: int) -> bytes:
    draw = random.Random(seed)
    return " ".join(draw.choices(WORDS, k=size // 5)).encode()[:size]


def decoded(stored: bytes, kind: Any, read: int = 1 << 20, limit: int = -1) -> tuple[bytes, str, bytes]:
    """(text, what went wrong, what follows the stream), given `read` bytes at a time and taken `limit` at a time."""
    decoder, at = kind(), 0
    pieces: list[bytes] = []
    try:
        while not decoder.eof:
            given = b""
            if decoder.needs_input:
                given, at = stored[at : at + read], at + read
                if not given:
                    return b"".join(pieces), "truncated", b""
            pieces.append(decoder.decompress(given, limit))
            assert limit < 0 or len(pieces[-1]) <= limit
    except OSError as error:
        return b"".join(pieces), str(error), b""
    return b"".join(pieces), "", decoder.unused_data + stored[at:]


RUNS = [bytes([byte]) * count for byte in (0, 97, 255) for count in (3, 4, 5, 258, 259, 260, 600)]
TEXTS = {
    "empty": b"",
    "one byte": b"a",
    "two bytes": b"ab",
    "runs": b"".join(RUNS) + b"x" + b"".join(reversed(RUNS)),
    "counts like bytes": b"aaaa\0aaaa\4aaaa" + b"b" * 4 + b"\4\4\4\4\4",
    "every byte": bytes(range(256)) * 40,
    "one long run": bytes(3_000_000),
    "noise": random.Random(1).randbytes(150_000),
    "Chinese": prose(2, 20_000) + "".join(map(chr, random.Random(3).choices(range(0x4E00, 0x9FA5), k=90_000))).encode(),
    "prose": prose(4, 450_000),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("level", [1, 9])
def test_what_is_compressed_comes_out_again(name: str, level: int) -> None:
    text = TEXTS[name]
    stored = bz2.compress(text, level)
    assert decoded(stored + b"BZh?", Bzip2Decompressor) == (text, "", b"BZh?")
    assert decoded(stored, Bzip2Decompressor, 30_000, 7_000) == (text, "", b"")


@pytest.mark.parametrize(("read", "limit"), [(1, 1), (1, -1), (7, 100), (100, 1), (5_000, 0x10000)])
def test_pieces_of_any_size_give_the_same(read: int, limit: int) -> None:
    text = prose(1, 3_000) + b"a" * 1_000
    assert decoded(bz2.compress(text) + b"rest", Bzip2Decompressor, read, limit) == (text, "", b"rest")


def test_a_sequence_of_streams_shares_no_state() -> None:
    texts = [prose(seed, 1_000 * seed * seed) for seed in range(1, 12)]
    for text in texts:
        assert decoded(bz2.compress(text, 1), Bzip2Decompressor)[0] == text


@pytest.mark.parametrize("seed", range(8))
def test_what_is_damaged_is_refused_where_pythons_own_refuses_it(seed: int) -> None:
    draw = random.Random(seed)
    text = prose(seed, 230_000)
    for stored in [*[bz2.compress(text[:900])] * 150, *[bz2.compress(text, 1)] * 12]:
        damaged = bytearray(stored)
        for _ in range(draw.randrange(1, 3)):
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        ours, theirs = (decoded(bytes(damaged), kind) for kind in (Bzip2Decompressor, bz2.BZ2Decompressor))
        assert bool(ours[1]) == bool(theirs[1])
        # Not a byte of a block whose checksum is wrong.
        assert text.startswith(ours[0]) if ours[1] else ours == theirs


@pytest.mark.parametrize("cut", [0, 3, 4, 13, 40, 4_000, -5, -1])
def test_blocks_before_a_cut_are_given_out(cut: int) -> None:
    stored = bz2.compress(prose(5, 330_000), 1)
    ours, theirs = (decoded(stored[:cut], kind) for kind in (Bzip2Decompressor, bz2.BZ2Decompressor))
    assert ours == theirs
    assert ours[1] == "truncated"


def test_blocks_before_a_damaged_one_are_given_out_before_the_error() -> None:
    text = prose(6, 700_000)
    stored = bytearray(bz2.compress(text, 1))
    stored[-200] ^= 16
    found, fault, _ = decoded(bytes(stored), Bzip2Decompressor)
    assert fault == "Invalid data stream"
    assert text.startswith(found)
    assert len(found) > 500_000


def test_a_checksum_of_the_whole_stream_that_is_wrong_is_refused() -> None:
    stored = bytearray(bz2.compress(b"text"))
    stored[-3] ^= 1
    assert decoded(bytes(stored), Bzip2Decompressor)[1] == "Invalid data stream"


def test_an_ended_stream_takes_no_more() -> None:
    decoder = Bzip2Decompressor()
    assert decoder.decompress(bz2.compress(b"text")) == b"text"
    assert decoder.eof
    with pytest.raises(EOFError):
        decoder.decompress(b"more")


@pytest.mark.parametrize("head", [b"x", b"BZ0", b"BZh0", b"BZhx"])
def test_what_begins_as_no_stream_is_refused(head: bytes) -> None:
    assert decoded(head, Bzip2Decompressor)[1] == "Invalid data stream"


def test_a_block_of_the_oldest_program_is_left_to_pythons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are mixed with random ones: `bz2` can undo that. No program writes such blocks any more."""
    text = prose(7, 150_000)
    stored = bytearray(bz2.compress(text, 1))
    stored[14] |= 0x80  # the random bit of the first block
    theirs = decoded(bytes(stored), bz2.BZ2Decompressor)
    assert decoded(bytes(stored), Bzip2Decompressor)[1] == theirs[1] == "Invalid data stream"
    asked = []

    def unmixed(data: bytes, start: int, end: int, checksum: int) -> bytes | None:
        asked.append(end)
        plain = bytearray(data)
        plain[14] &= 0x7F
        return framing.decode_block(bytes(plain), start, end, checksum)

    monkeypatch.setattr(module, "decode_block", unmixed)
    assert decoded(bytes(stored), Bzip2Decompressor) == (text, "", b"")
    assert len(asked) == 1
