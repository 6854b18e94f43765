"""Statistics over seeds: what a set of scores says.

Fine-tuning BERT on small sets varies by several points from seed to seed (Dodge et al. 2020, arXiv:2002.06305), so a
single score says little. Everything here works on plain floats and is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from finetuning.errors import FinetuningError

IntervalMethod = Literal["t", "bootstrap"]

LEVEL = 0.95
RESAMPLES = 9999
SEED = 20181011  # fixes the resampling, so that a report is the same each time it is made


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a mean."""

    low: float
    high: float
    level: float
    method: IntervalMethod


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores of one setting over its seeds. `interval` and `standard_deviation` are None for fewer than two runs."""

    runs: int
    best: float
    worst: float
    median: float
    mean: float
    standard_deviation: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class StandardError:
    """Of a mean; `degrees` of freedom of Student's t that goes with it."""

    value: float
    degrees: float


def _finite(scores: Sequence[float]) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        raise FinetuningError("no scores to summarise: there must be at least one finished run")
    if not np.isfinite(values).all():
        raise FinetuningError("a score is not a finite number: remove that run's folder and run it again")
    return values


def confidence_interval(
    scores: Sequence[float],
    *,
    method: IntervalMethod = "t",
    level: float = LEVEL,
    starts: Sequence[Hashable] | None = None,
) -> Interval | None:
    """Two-sided interval of the mean of `scores`; None for fewer than two.

    `t`: mean ± t(n-1) · s/√n (Student 1908, "The probable error of a mean", Biometrika 6), right for about normal
    scores and any number of seeds; `starts` as `seed_error` takes them. `bootstrap`: bias-corrected and accelerated
    (Efron 1987, "Better bootstrap confidence intervals", JASA 82), for skewed scores and about ten seeds or more; below
    that it is too narrow.
    """
    values = _finite(scores)
    if values.size < 2:
        return None
    mean = float(values.mean())
    spread = float(values.std(ddof=1))
    if spread <= 1e-12 * max(1.0, abs(mean)):  # equal scores but for rounding: both methods would divide by zero
        return Interval(mean, mean, level, method)
    error = seed_error(scores, starts)
    if method == "t" and error is not None:
        half = float(stats.t.ppf(0.5 + level / 2, df=error.degrees)) * error.value
        return Interval(mean - half, mean + half, level, method)
    result = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(SEED),
    )
    return Interval(float(result.confidence_interval.low), float(result.confidence_interval.high), level, method)


def seed_error(scores: Sequence[float], starts: Sequence[Hashable] | None = None) -> StandardError | None:
    """The standard error of the mean of `scores` over seeds; None for fewer than two.

    `starts`: what each run started from. Runs from one start are alike, so where there are several starts, each counts
    as one (cluster-robust error with g/(g-1), g-1 degrees of freedom; Cameron and Miller 2015, "A practitioner's guide
    to cluster-robust inference", section VI). Where all share one, nothing is known of others: the error is that of
    further seeds from this start.
    """
    values = _finite(scores)
    if values.size < 2:
        return None
    groups = list(dict.fromkeys(starts or ()))
    if len(groups) < 2:
        return StandardError(float(values.std(ddof=1)) / math.sqrt(values.size), values.size - 1)
    off = values - values.mean()
    sums = [sum(off[place] for place, start in enumerate(starts or ()) if start == group) for group in groups]
    variance = len(groups) / (len(groups) - 1) * sum(step**2 for step in sums) / values.size**2
    return StandardError(math.sqrt(variance), len(groups) - 1)


def summarise(
    scores: Sequence[float],
    *,
    method: IntervalMethod = "t",
    level: float = LEVEL,
    starts: Sequence[Hashable] | None = None,
) -> Summary:
    """Best, worst, median, mean, sample standard deviation (n-1) and interval of the mean. Higher is better."""
    values = _finite(scores)
    return Summary(
        runs=int(values.size),
        best=float(values.max()),
        worst=float(values.min()),
        median=float(np.median(values)),
        mean=float(values.mean()),
        standard_deviation=float(values.std(ddof=1)) if values.size > 1 else None,
        interval=confidence_interval(scores, method=method, level=level, starts=starts),
    )


def expected_best(scores: Sequence[float], tries: int) -> float:
    """Expected best of `tries` runs drawn from `scores` with replacement: the score that a budget of `tries` buys.

    Dodge et al. 2019, "Show your work", section 3.1: E[max] = Σ s_(i) · ((i/n)^k - ((i-1)/n)^k) over sorted scores.
    """
    values = np.sort(_finite(scores))
    if tries < 1:
        raise FinetuningError(f"the number of tries must be at least 1, not {tries}")
    ranks = np.arange(values.size + 1, dtype=np.float64) / values.size
    return float((values * np.diff(ranks**tries)).sum())
