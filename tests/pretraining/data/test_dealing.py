"""A global batch is dealt out completely, in parts of one size that hold nearly as many tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretraining.data.dealing import deal


def lengths_like_those_of_a_corpus(generator: np.random.Generator, count: int, longest: int) -> np.ndarray:
    """Nine tenths are as long as may be, the others of any length."""
    return np.where(generator.random(count) < 0.9, longest, generator.integers(5, longest + 1, count))


@settings(max_examples=100, deadline=None)
@given(parts=st.integers(1, 40), size=st.integers(1, 30), seed=st.integers(0, 1000), longest=st.integers(1, 600))
def test_every_example_once_in_parts_of_one_size(parts: int, size: int, seed: int, longest: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, longest + 1, parts * size)
    dealt = deal(lengths, parts)
    assert dealt.shape == (parts, size)
    assert sorted(dealt.ravel()) == list(range(parts * size))


@pytest.mark.parametrize("longest", [128, 512])
@pytest.mark.parametrize(("size", "worst"), [(32, 1.012), (64, 1.0015), (256, 1.0011)])
def test_parts_hold_nearly_as_many_tokens(size: int, worst: float, longest: int) -> None:
    generator = np.random.default_rng(longest + size)
    for parts in (2, 8, 64):
        lengths = lengths_like_those_of_a_corpus(generator, parts * size, longest)
        tokens = lengths[deal(lengths, parts)].sum(axis=1)
        assert tokens.max() <= worst * tokens.mean() + 1


def test_a_row_evens_out_what_the_rows_before_it_left() -> None:
    """Sorted rows are (90, 20), (15, 14) and (12, 8): back and forth they would be 90 + 14 + 12 and 20 + 15 + 8."""
    lengths = np.array([8, 90, 14, 20, 12, 15])
    assert lengths[deal(lengths, 2)].sum(axis=1).tolist() == [90 + 14 + 8, 20 + 15 + 12]
    # The row that differs most comes first, though it holds the shortest examples.
    lengths = np.array([100, 90, 50, 44, 40, 10])
    assert sorted(lengths[deal(lengths, 2)].sum(axis=1)) == [160, 174]


def test_depends_on_lengths_alone() -> None:
    lengths = np.random.default_rng(2).integers(16, 513, 640)
    assert (deal(lengths, 10) == deal(lengths.astype(np.int32), 10)).all()


@pytest.mark.parametrize("seed", range(6))
def test_dealing_is_that_of_its_definition(seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts, rows = int(generator.integers(1, 6)), int(generator.integers(1, 9))
    lengths = generator.integers(3, 9, parts * rows)
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    table = [order[low : low + parts] for low in range(0, len(order), parts)]
    shares: list[list[int]] = [[-1] * rows for _ in range(parts)]
    filled = [0] * parts
    for row in sorted(range(rows), key=lambda row: lengths[table[row][-1]] - lengths[table[row][0]]):
        even = lengths[table[row][0]] == lengths[table[row][-1]]
        places = range(parts) if even else sorted(range(parts), key=lambda part: filled[part])
        for part, index in zip(places, table[row], strict=True):
            shares[part][row] = index
            filled[part] += 0 if even else int(lengths[index])
    dealt = deal(lengths.astype(np.int32), parts)
    assert dealt.tolist() == shares
    assert dealt.flags.c_contiguous
