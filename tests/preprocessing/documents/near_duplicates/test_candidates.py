import itertools
from collections.abc import Callable

import numpy as np
import pytest

from preprocessing.documents.near_duplicates import candidates
from preprocessing.documents.near_duplicates.bands import band_count, sort_bands
from preprocessing.documents.near_duplicates.candidates import candidate_pairs, find_candidates
from preprocessing.documents.near_duplicates.job import PART_BITS, NearDuplicateJob, batches_of


def test_pairs_are_each_with_the_first_of_its_run_and_with_the_one_before_in_order_of_key() -> None:
    keys = [np.array([[3, 0], [1, 7], [9, 9]], ">u8"), np.array([[1, 2], [2, 0]], ">u8")]
    other = 1 << PART_BITS
    places = np.array([0, 1, 2, other, other + 1], np.uint64)
    numbers = np.array([5, 5, 6, 5, 5], np.uint64)
    run = [other, 1, other + 1, 0]  # by key
    a, b = candidate_pairs(numbers, places, keys)
    expected = {(run[0], run[1]), (run[0], run[2]), (run[0], run[3]), (run[1], run[2]), (run[2], run[3])}
    assert set(zip(a.tolist(), b.tolist(), strict=True)) == expected
    assert len(a) == len(expected)
    a, b = candidate_pairs(numbers[:0], places[:0], keys)
    assert len(a) == len(b) == 0


@pytest.mark.parametrize("ranges", [1, 2, 3, 256])
@pytest.mark.parametrize("rows_at_a_time", [1, 100])
def test_every_number_is_in_one_range(monkeypatch: pytest.MonkeyPatch, ranges: int, rows_at_a_time: int) -> None:
    """The smallest and the largest too, and those on either side of an edge."""
    monkeypatch.setattr(candidates, "_ROWS_AT_A_TIME", rows_at_a_time)
    edges = [(number << 64) // ranges for number in range(ranges + 1)]
    numbers = sorted({near for edge in edges for near in (edge - 1, edge, edge + 1) if 0 <= near < 1 << 64})
    part = (np.array(numbers, np.uint64), np.arange(len(numbers), dtype=np.uint32))
    for first, end in itertools.pairwise(edges):
        pieces = list(candidates._pieces([part, part], first, end))
        found = np.concatenate([piece for piece, _ in pieces]).tolist()
        places = np.concatenate([piece for _, piece in pieces])
        inside = [row for row, number in enumerate(numbers) if first <= number < end]
        assert sorted(found) == sorted([numbers[row] for row in inside] * 2)
        assert sorted(places.tolist()) == [*inside, *(row + (1 << PART_BITS) for row in inside)]


def test_ranges_cover_all_numbers_and_partners_are_in_order(
    signed: Callable[..., tuple[NearDuplicateJob, list[str]]],
) -> None:
    random = np.random.default_rng(2)
    signatures = np.repeat(random.integers(0, 2**32, (60, 16), dtype=np.uint32), 2, axis=0)
    keys = [random.bytes(16) for _ in range(120)]
    job, split_keys = signed(signatures, keys, [1] * 120, 5)
    for part, split_key in enumerate(split_keys):
        sort_bands(part, [split_key], job)
    found = 0
    for number in range(5):
        find_candidates(number, job)
        pairs = [
            (batch.column("a").to_numpy(), batch.column("b").to_numpy())
            for batch in batches_of(job.path("candidates", number))
        ]
        (partners,) = batches_of(job.path("partners", number))
        places = np.concatenate([np.concatenate(pair) for pair in pairs])
        assert partners.column("place").to_pylist() == sorted(set(places.tolist()))
        found += sum(len(a) for a, _ in pairs)
    assert found == 60 * band_count(job.options)
