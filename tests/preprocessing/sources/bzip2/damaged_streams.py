"""bzip2 streams as nobody writes them: damaged, cut, joined and followed by anything; a seed gives the same ones."""

import bz2
import random
from collections.abc import Iterator

_WORDS = ["the", "of", "[[Category:", "&lt;ref&gt;", "    ", "======", "привет", "維基百科", "\n", "1984", "aaaaa"]


def text_of(draw: random.Random) -> bytes:
    """Some text: prose, noise, runs of one byte, two letters, every byte; of 0 to 250,000 bytes, mostly few."""
    size = draw.choice((0, 1, 2, 3, 10, 60, 300, 300, 2_000, 2_000, 6_000, 40_000, 250_000))
    kind = draw.randrange(6)
    if kind == 0:
        return draw.randbytes(min(size, 40_000))
    if kind == 1:
        return bytes([draw.randrange(256)]) * (size * draw.choice((1, 20)))
    if kind == 2:
        return bytes(draw.choices(b"ab", k=min(size, 6_000)))
    if kind == 3:
        lengths = draw.choices((1, 3, 4, 5, 254, 255, 258, 259, 260, 600), k=min(size, 100))
        return b"".join(bytes([draw.choice(b"\0\4a\xff")]) * length for length in lengths)
    if kind == 4:
        return bytes(range(256)) * (min(size, 40_000) // 256)
    return " ".join(draw.choices(_WORDS, k=size // 5)).encode()[:size]


def stream_of(draw: random.Random) -> bytes:
    return bz2.compress(text_of(draw), draw.randrange(1, 10))


def damaged(draw: random.Random, stored: bytes) -> bytes:
    """The same with one thing wrong, which may happen to be none."""
    found = bytearray(stored)
    head = draw.random() < 0.5  # in what stands before the symbols: the first row, bytes in use, selectors, tables
    first, last = (4, min(len(found), 120)) if head and len(found) > 4 else (0, len(found))
    at = draw.randrange(first, last)
    kind = draw.randrange(8)
    if kind == 0:
        for _ in range(draw.randrange(1, 4)):
            found[draw.randrange(first, last)] ^= 1 << draw.randrange(8)
    elif kind == 1:
        found[at] = draw.choice((0, 255, draw.randrange(256)))
    elif kind == 2:
        del found[at:]
    elif kind == 3:
        del found[at : at + draw.randrange(1, 9)]
    elif kind == 4:
        found[at:at] = draw.choice((b"\0", b"\xff", draw.randbytes(3), found[: draw.randrange(60)]))
    elif kind == 5:
        other = stream_of(draw)
        found[at:] = other[draw.randrange(len(other)) :]
    elif kind == 6:
        count = draw.randrange(1, 40)
        found[at : at + count] = draw.choice((bytes(count), b"\xff" * count, draw.randbytes(count)))
    else:
        found[3:4] = draw.choice((b"1", b"9", b"0", b"h"))
    return bytes(found)


def files(seed: int, count: int) -> Iterator[bytes]:
    """So many files: of one stream or several, whole or damaged, with nothing behind them or something."""
    draw = random.Random(seed)
    for _ in range(count):
        streams = [stream_of(draw) for _ in range(draw.choice((1, 1, 1, 2, 4)))]
        if draw.random() < 0.9:
            victim = draw.randrange(len(streams))
            for _ in range(draw.choice((1, 1, 1, 3))):
                streams[victim] = damaged(draw, streams[victim] or b"BZh9?")
        behind = draw.choice((b"", b"", b"", bytes(7), b"BZh", bz2.compress(b""), draw.randbytes(30)))
        yield b"".join(streams) + behind
