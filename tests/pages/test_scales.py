"""Axes end where they should, and their numbers are round and short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.scales import in_percent, scale, short


@pytest.mark.parametrize(
    ("values", "tight", "ends", "ticks"),
    [
        ([0.0, 100.0], False, (0, 100), (0, 25, 50, 75, 100)),
        ([4.4, 8.4], False, (4, 9), (4, 5, 6, 7, 8, 9)),
        ([1.0, 600.0], True, (1, 600), (200, 400, 600)),
        ([7.0], False, (2, 12), (2, 4, 6, 8, 10, 12)),
        ([0.0], True, (-0.5, 0.5), (-0.5, -0.25, 0, 0.25, 0.5)),
    ],
)
def test_ends_and_ticks(values: list[float], tight: bool, ends: tuple[float, float], ticks: tuple[float, ...]) -> None:
    axis = scale(values, tight=tight)
    assert (axis.low, axis.high) == pytest.approx(ends)
    assert axis.ticks == pytest.approx(ticks)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5), st.booleans())
def test_every_value_lies_on_its_axis(values: list[float], tight: bool) -> None:
    axis = scale(values, tight=tight)
    assert all(-1e-6 <= axis.place(value) <= 1 + 1e-6 for value in (*values, *axis.ticks))
    assert len(axis.ticks) <= 8
    assert list(axis.ticks) == sorted(axis.ticks)


def test_numbers_in_few_characters() -> None:
    values = (0, 1e-17, 0.05, 1e-4, 2.5e-5, 250, 5000, 9999, 10_000, 12_500, 2_500_000, 3.3e9, 1e12, -12_500)
    texts = ["0", "0", "0.05", "1e-4", "2.5e-5", "250", "5000", "9999", "10k", "12.5k", "2.5M", "3.3B", "1T", "-12.5k"]
    assert [short(value) for value in values] == texts
    assert [in_percent(value) for value in (0, 0.05, 0.125, 1)] == ["0%", "5%", "12.5%", "100%"]
