from collections.abc import Callable

import numpy as np
import pytest

from preprocessing.documents.near_duplicates import bands
from preprocessing.documents.near_duplicates.bands import (
    band_count,
    band_numbers,
    band_rows,
    read_bands,
    read_keys,
    sort_bands,
    splits_of,
)
from preprocessing.documents.near_duplicates.job import NearDuplicateJob
from preprocessing.errors import PreprocessingError

Signed = Callable[..., tuple[NearDuplicateJob, list[str]]]


@pytest.mark.parametrize(("threshold", "permutations"), [(0.5, 128), (0.7, 128), (0.8, 128), (0.9, 256)])
def test_bands_meet_at_the_threshold(threshold: float, permutations: int) -> None:
    rows = band_rows(threshold, permutations)

    def meets(similarity: float, rows: int) -> float:
        return 1 - (1 - similarity**rows) ** (permutations // rows)

    assert meets(threshold, rows) >= 0.99 > meets(threshold, rows + 1)


def test_a_number_stands_for_all_columns_of_its_band_in_order() -> None:
    signatures = np.tile(np.arange(6, dtype=np.uint32), (8, 1))
    for row in range(6):
        signatures[row + 1, row] += 1
    signatures[7, [0, 1]] = signatures[7, [1, 0]]
    changed = [
        {row for row in range(8) if band_numbers(signatures, band, 2)[row] != number}
        for band, number in enumerate(band_numbers(signatures, band, 2)[0] for band in range(3))
    ]
    assert changed == [{1, 2, 7}, {3, 4}, {5, 6}]


def documents(count: int) -> tuple[np.ndarray, list[bytes], list[int]]:
    random = np.random.default_rng(3)
    return (
        random.integers(0, 2**32, (count, 16), dtype=np.uint32),
        [random.bytes(16) for _ in range(count)],
        list(range(count)),
    )


@pytest.mark.parametrize("at_a_time", [1, 50, 1 << 20])
def test_every_band_of_every_document_is_there_sorted(
    signed: Signed, monkeypatch: pytest.MonkeyPatch, at_a_time: int
) -> None:
    monkeypatch.setattr(bands, "_NUMBERS_AT_A_TIME", at_a_time)
    monkeypatch.setattr("preprocessing.documents.near_duplicates.job.PARTS", 1)
    signatures, keys, characters = documents(31)
    job, split_keys = signed(signatures, keys, characters, 3, threshold=0.5)
    sort_bands(0, split_keys, job)
    order = np.concatenate([np.arange(number, 31, 3) for number in range(3)])
    assert splits_of(0, job) == list(zip(split_keys, (11, 10, 10), strict=True))
    assert [row.astype(">u8").tobytes() for row in read_keys(0, job)] == [keys[row] for row in order]
    found = read_bands(0, job)
    assert len(found) == band_count(job.options) > 1
    for band, (numbers, rows) in enumerate(found):
        assert (np.diff(numbers.astype(object)) >= 0).all()
        assert sorted(rows.tolist()) == list(range(31))
        expected = band_numbers(signatures[order], band, band_rows(0.5, 16))
        assert (expected[rows] == numbers).all()


def test_what_is_there_is_not_made_again(signed: Signed) -> None:
    job, split_keys = signed(*documents(6), 1)
    sort_bands(0, split_keys, job)
    before = job.path("bands", 0).stat().st_mtime_ns
    sort_bands(0, split_keys, job)
    assert job.path("bands", 0).stat().st_mtime_ns == before
    job.path("keys", 0).unlink()
    sort_bands(0, split_keys, job)
    assert job.path("keys", 0).is_file()


def test_a_split_that_the_runner_lost_is_noticed(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.documents.near_duplicates.job.PARTS", 1)
    job, split_keys = signed(*documents(6), 3)
    job.signature_path(split_keys[1]).unlink()
    with pytest.raises(PreprocessingError, match=rf"{split_keys[1]}\.arrow is missing; run the same command again"):
        sort_bands(0, split_keys, job)
    assert not job.path("bands", 0).exists()
