"""The draws that static and dynamic masks share."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.examples.mask_draws import (
    AS_MASK,
    AS_ORIGINAL,
    AS_RANDOM,
    MASK_SHARE,
    RANDOM_SHARE,
    choose_fate,
    choose_unit,
)


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40))
def test_every_unit_is_chosen_exactly_once(draws: list[float]) -> None:
    units = np.arange(len(draws))
    order = [choose_unit(units, step, step + int(drawn * (len(draws) - step))) for step, drawn in enumerate(draws)]
    assert sorted(order) == list(range(len(draws)))
    assert order == units.tolist()


def test_each_order_of_units_comes_from_exactly_one_series_of_draws() -> None:
    orders = Counter()
    for first in range(4):
        for second in range(1, 4):
            for third in range(2, 4):
                units = np.arange(4)
                orders[tuple(choose_unit(units, step, at) for step, at in enumerate((first, second, third)))] += 1
    assert orders == Counter(dict.fromkeys(permutations(range(4), 3), 1))


@pytest.mark.parametrize(
    ("drawn", "fate"),
    [
        (0.0, AS_MASK),
        (np.nextafter(0.8, 0), AS_MASK),
        (0.8, AS_RANDOM),
        (np.nextafter(0.9, 0), AS_RANDOM),
        (0.9, AS_ORIGINAL),
        (np.nextafter(1, 0), AS_ORIGINAL),
    ],
)
def test_the_shares_are_those_of_the_paper(drawn: float, fate: int) -> None:
    assert choose_fate(drawn, MASK_SHARE, RANDOM_SHARE) == fate


def test_a_share_of_nothing_and_of_everything() -> None:
    assert choose_fate(0.0, 0.0, 0.0) == AS_ORIGINAL
    assert choose_fate(np.nextafter(1, 0), 1.0, 0.0) == AS_MASK
    assert choose_fate(0.0, 0.0, 1.0) == AS_RANDOM
