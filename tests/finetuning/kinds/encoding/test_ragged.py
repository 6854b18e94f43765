"""Offsets and indices of flat arrays."""

import numpy as np
import pytest

from finetuning.kinds.encoding.ragged import ragged, starts_of


@pytest.mark.parametrize(
    ("lengths", "offsets"), [([], [0]), ([3], [0, 3]), ([2, 0, 4], [0, 2, 2, 6]), ([0, 0, 1], [0, 0, 0, 1])]
)
def test_offsets(lengths: list[int], offsets: list[int]) -> None:
    found = starts_of(np.array(lengths, np.int64))
    assert found.tolist() == offsets
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("starts", "lengths", "indices"),
    [
        ([], [], []),
        ([5], [3], [5, 6, 7]),
        ([7, 0, 4], [2, 3, 0], [7, 8, 0, 1, 2]),
        ([4, 9, 1], [0, 1, 2], [9, 1, 2]),
    ],
)
def test_indices_of_runs(starts: list[int], lengths: list[int], indices: list[int]) -> None:
    found = ragged(np.array(starts, np.int64), np.array(lengths, np.int64))
    assert found.tolist() == indices
    assert found.dtype == np.int64
