"""Figures of several runs as medians with their spread."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The median of some runs, and their lowest and highest."""

    median: float
    lowest: float
    highest: float
    runs: int


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def flat(figures: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in nested tables and lists, by dotted name: `step_seconds.base-128`, `cases.0.shapes`."""
    if isinstance(figures, bool) or figures is None:
        return
    if isinstance(figures, int | float):
        yield prefix, float(figures)
    elif isinstance(figures, dict):
        for name, value in figures.items():
            yield from flat(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(figures, list):
        for place, value in enumerate(figures):
            yield from flat(value, f"{prefix}.{place}" if prefix else str(place))


def spreads(runs: Sequence[Any]) -> dict[str, Spread]:
    """For each figure its spread over the runs that have it, in the order of the first run."""
    values: dict[str, list[float]] = {}
    for figures in runs:
        for name, value in flat(figures):
            values.setdefault(name, []).append(value)
    return {name: spread_of(found) for name, found in values.items()}
