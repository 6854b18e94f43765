"""The inverse transform against its definition: the sorted rotations of a text."""

import random

import numpy as np
import pytest

from preprocessing.sources.bzip2 import transform
from preprocessing.sources.bzip2.transform import PAIR_BITS, link, pair, pieces_of, unsorted


def sorted_rows(text: bytes) -> tuple[bytes, int]:
    """The last bytes of the sorted rotations, and the row of the text itself."""
    order = sorted(range(len(text)), key=lambda start: text[start:] + text[:start])
    return bytes(text[start - 1] for start in order), order.index(0)


def inverse(texts: list[bytes]) -> list[bytes]:
    most = max(map(len, texts))
    steps, pairs = np.empty((4, most), np.uint32), np.empty((4, 1 << PAIR_BITS), np.uint16)
    rare_rows, rare_pairs = np.empty((4, 1 << 16), np.uint32), np.empty((4, 1 << 16), np.uint16)
    rare, origins = [], []
    for number, text in enumerate(texts):
        last, origin = sorted_rows(text)
        links = np.frombuffer(last, np.uint8).astype(np.uint32)
        counts = np.bincount(links, minlength=256).astype(np.int64)
        link(links, len(text), counts)
        rare.append(pair(links, counts, steps[number], pairs[number], rare_rows[number], rare_pairs[number]))
        origins.append(origin)
    found = np.empty((len(texts), (most + 1) // 2), np.uint16)
    sizes = np.array([len(text) for text in texts], np.int64)
    unsorted(
        tuple(steps), tuple(pairs), tuple(rare_rows), tuple(rare_pairs), np.array(rare), np.array(origins), sizes, found
    )
    return [row.view(np.uint8)[: len(text)].tobytes() for row, text in zip(found, texts, strict=True)]


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_blocks_of_any_size_come_into_order_together(blocks: int) -> None:
    draw = random.Random(blocks)
    for _ in range(20):
        texts = [bytes(draw.choices(b"abn\0\xff", k=draw.randrange(1, 60))) for _ in range(blocks)]
        assert inverse(texts) == texts


def test_more_pairs_than_there_are_numbers() -> None:
    texts = [random.Random(seed).randbytes(40_000) for seed in range(2)]
    assert inverse(texts) == texts


@pytest.mark.parametrize(
    "text", [b"", b"aaa", b"aaaa\0", b"aaaa\2b", b"aaaa\4aaaa\0", b"xaaaa\xffxx", b"aaaa", b"\4\4\4\4\4"]
)
def test_runs_are_written_out(text: bytes) -> None:
    assert expanded(text) == plainly_expanded(text)


def test_runs_are_written_out_in_any_text() -> None:
    draw = random.Random(1)
    for _ in range(2_000):
        text = bytes(draw.choices(b"\0\1\4a", k=draw.randrange(30)))
        assert expanded(text) == plainly_expanded(text)


def expanded(text: bytes) -> bytes | None:
    try:
        return b"".join(pieces_of(np.frombuffer(text, np.uint8)))
    except OSError:
        return None


def plainly_expanded(text: bytes) -> bytes | None:
    """None where the count of the last run is missing."""
    found, index = bytearray(), 0
    equal = 0
    while index < len(text):
        equal = equal + 1 if equal and text[index] == found[-1] else 1
        found.append(text[index])
        index += 1
        if equal == 4:
            if index == len(text):
                return None
            found += bytes([found[-1]]) * text[index]
            index += 1
            equal = 0
    return bytes(found)


def test_the_table_of_pairs_holds_what_a_step_can_say() -> None:
    assert transform.PAIR_BITS + (900_000 - 1).bit_length() <= 32
