"""Axes: where a value lies between two ends, which round numbers are named, and how numbers are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Distances of ticks, times a power of ten."""


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high`, with round ticks between them."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Where a value lies: 0 at `low`, 1 at `high`."""
        return (value - self.low) / (self.high - self.low)


def scale(values: Sequence[float], ticks: int = 5, *, tight: bool = False) -> Scale:
    """An axis for finite values with about `ticks` ticks; it ends at ticks, or with `tight` at the values' ends."""
    low, high = min(values), max(values)
    if high <= low:  # a single value stands in the middle
        margin = abs(low) / 2 or 0.5
        low, high = low - margin, high + margin
        tight = False
    step = _step((high - low) / max(1, ticks - 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = [number * step for number in range(first, last + 1)]
    if not tight:
        return Scale(places[0], places[-1], tuple(places))
    slack = (high - low) * 1e-9
    return Scale(low, high, tuple(place for place in places if low - slack <= place <= high + slack))


def _step(distance: float) -> float:
    power = 10.0 ** math.floor(math.log10(distance))
    return next(power * step for step in STEPS if power * step >= distance * (1 - 1e-9))


def short(value: float) -> str:
    """A tick's number in few characters: 0, 0.05, 250, 10k, 2.5M, 1e-05."""
    size = abs(value)
    if size < 1e-12:
        return "0"
    for power, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if size >= power * (1 - 1e-9):
            return f"{value / (1e3 if unit == 'k' else power):.4g}{unit}"
    if size < 1e-3:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{value:.4g}"


def in_percent(value: float) -> str:
    """A share of one as a tick: 5%, 12.5%."""
    return f"{100 * value:.4g}%"
