"""The number of a batch: the same however it is cut, another for anything else in it."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pretraining.data.fingerprint import fingerprint

LENGTHS = [5, 3, 4, 6]


def batch() -> dict[str, np.ndarray]:
    edges = np.cumsum([0, *LENGTHS])
    return {
        "input_ids": np.arange(100, 100 + edges[-1]),
        "edges": edges.astype(np.int32),
        "masked_indices": np.array([1, 3, 6, 13, 17]),
        "masked_labels": np.array([7, 8, 9, 10, 11]),
        "is_random_next": np.array([0, 1, 0, 1]),
        "slots": np.array([2, 0, 3, 1]),
    }


def part(whole: dict[str, np.ndarray], first: int, last: int) -> int:
    """The fingerprint of examples `first` up to `last` packed by themselves."""
    low, high = whole["edges"][first], whole["edges"][last]
    masks = (whole["masked_indices"] >= low) & (whole["masked_indices"] < high)
    return int(
        fingerprint(
            whole["input_ids"][low:high],
            whole["edges"][first : last + 1] - low,
            whole["masked_indices"][masks] - low,
            whole["masked_labels"][masks],
            whole["is_random_next"][first:last],
            whole["slots"][first:last],
        )
    )


def test_however_it_is_cut() -> None:
    whole = part(batch(), 0, 4)
    for cuts in ([0, 1, 2, 3, 4], [0, 2, 4], [0, 3, 4]):
        parts = [part(batch(), first, last) for first, last in pairwise(cuts)]
        assert (sum(parts) - whole) % (1 << 64) == 0


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("input_ids", 7, 5),
        ("masked_indices", 1, 2),
        ("masked_labels", 4, 12),
        ("is_random_next", 0, 1),
        ("slots", 2, 9),
    ],
)
def test_anything_else_is_another(name: str, place: int, value: int) -> None:
    changed: dict[str, Any] = batch()
    changed[name][place] = value
    assert part(changed, 0, 4) != part(batch(), 0, 4)


def test_places_count() -> None:
    swapped, slots = batch(), batch()
    swapped["input_ids"][[0, 1]] = swapped["input_ids"][[1, 0]]
    slots["slots"][[0, 1]] = slots["slots"][[1, 0]]
    assert len({part(one, 0, 4) for one in (batch(), swapped, slots)}) == 3
