"""What the choice of the best setting does to its figures, and what can be said all the same.

The highest of k means over the same seeds is too high by the luck that it was chosen for, and its interval covers too
seldom: of 24 equal settings 72 % instead of 95 % (`benchmarks/coverage.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from scipy import stats

from finetuning.reporting.significance import (
    LEVEL,
    Interval,
    IntervalMethod,
    StandardError,
    confidence_interval,
)

Setting = TypeVar("Setting", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Choice:
    """Of the best setting of a model on a task."""

    settings: int
    """That it was chosen from."""
    interval: Interval | None
    """Of its mean over seeds, whichever setting was chosen; None for fewer than two seeds."""
    held_out_mean: float | None
    """Each seed's score of the setting that the other seeds choose, averaged; None for fewer than two seeds."""
    held_out_seeds: int
    """Seeds that all settings with the most seeds have."""


def choice_interval(
    scores: Sequence[float],
    settings: int,
    *,
    method: IntervalMethod = "t",
    level: float = LEVEL,
    starts: Sequence[Hashable] | None = None,
) -> Interval | None:
    """The interval of the mean of `scores`, which was the highest of so many settings'.

    The choice moves a mean upwards only, so the upper end stays, and the lower end is where it holds for all settings
    at once, and therefore for whichever was chosen (Bonferroni: an error of (1 - level) / 2k each). It assumes neither
    equal spreads nor independent settings, and covers more often than `level` where settings are many.
    """
    upper = confidence_interval(scores, method=method, level=level, starts=starts)
    lower = confidence_interval(scores, method=method, level=1 - (1 - level) / settings, starts=starts)
    return upper and lower and Interval(lower.low, upper.high, level, method)


def widened(mean: float, error: StandardError, settings: int, level: float = LEVEL) -> Interval:
    """As `choice_interval`, by Student's t from a standard error."""
    tail = (1 - level) / 2
    low, high = (float(stats.t.ppf(1 - share, df=error.degrees)) * error.value for share in (tail / settings, tail))
    return Interval(mean - low, mean + high, level, "t")


def held_out_mean(scores: Sequence[Mapping[int, float]]) -> tuple[float | None, int]:
    """The mean over seeds of the score of the setting that the other seeds choose, and the number of seeds.

    `scores`: seed → score of each setting; seeds that not all have are left out. A seed has no part in the choice that
    it is the measure of, so nothing is too high; a choice by one seed fewer is a little worse. For a mean only: these
    scores depend on each other, and their t interval covers 71 % of the time where 24 settings are equal.
    """
    seeds = [seed for seed in scores[0] if all(seed in others for others in scores)]
    if len(seeds) < 2:
        return None, len(seeds)
    found = []
    for seed in seeds:
        best = max(scores, key=lambda setting: sum(score for other, score in _of(setting, seeds) if other != seed))
        found.append(best[seed])
    return sum(found) / len(found), len(seeds)


def _of(setting: Mapping[int, float], seeds: Sequence[int]) -> list[tuple[int, float]]:
    return [(seed, setting[seed]) for seed in seeds]
