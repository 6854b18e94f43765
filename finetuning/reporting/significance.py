"""Statistics over seeds: what a set of scores says, and whether two checkpoints differ.

Fine-tuning BERT on small sets varies by several points from seed to seed (Dodge et al. 2020, arXiv:2002.06305), so a
single score says little. Everything here works on plain floats and is deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from scipy import stats

from finetuning.errors import FinetuningError

IntervalMethod = Literal["t", "bootstrap"]
Setting = TypeVar("Setting", bound=Hashable)

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
class Comparison:
    """Paired comparison: differences are `second` minus `first`, one for each seed that both have."""

    seeds: int
    """Differences that were tested; `wins`, `ties` and `losses` add up to it."""
    pairs: int
    """Runs of `first` with a partner in `second`: for each seed, one for each setting."""
    unpaired: int
    mean_difference: float
    interval: Interval | None
    wins: int
    ties: int
    losses: int
    p_value: float | None
    """Two-sided sign-flip permutation test of a mean difference of zero; None for fewer than two seeds."""


def _finite(scores: Sequence[float]) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    if values.size == 0:
        raise FinetuningError("no scores to summarise: there must be at least one finished run")
    if not np.isfinite(values).all():
        raise FinetuningError("a score is not a finite number: remove that run's folder and run it again")
    return values


def confidence_interval(
    scores: Sequence[float], *, method: IntervalMethod = "t", level: float = LEVEL
) -> Interval | None:
    """Two-sided interval of the mean of `scores`; None for fewer than two.

    `t`: mean ± t(n-1) · s/√n (Student 1908, "The probable error of a mean", Biometrika 6), right for about normal
    scores and any number of seeds. `bootstrap`: bias-corrected and accelerated (Efron 1987, "Better bootstrap
    confidence intervals", JASA 82), for skewed scores and about ten seeds or more; below that it is too narrow.
    """
    values = _finite(scores)
    if values.size < 2:
        return None
    mean = float(values.mean())
    spread = float(values.std(ddof=1))
    if spread <= 1e-12 * max(1.0, abs(mean)):  # equal scores but for rounding: both methods would divide by zero
        return Interval(mean, mean, level, method)
    if method == "t":
        half = float(stats.t.ppf(0.5 + level / 2, df=values.size - 1)) * spread / math.sqrt(values.size)
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


def summarise(scores: Sequence[float], *, method: IntervalMethod = "t", level: float = LEVEL) -> Summary:
    """Best, worst, median, mean, sample standard deviation (n-1) and interval of the mean. Higher is better."""
    values = _finite(scores)
    return Summary(
        runs=int(values.size),
        best=float(values.max()),
        worst=float(values.min()),
        median=float(np.median(values)),
        mean=float(values.mean()),
        standard_deviation=float(values.std(ddof=1)) if values.size > 1 else None,
        interval=confidence_interval(scores, method=method, level=level),
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


def compare_paired(
    first: Mapping[tuple[Setting, int], float],
    second: Mapping[tuple[Setting, int], float],
    *,
    method: IntervalMethod = "t",
    level: float = LEVEL,
) -> Comparison:
    """Compares two checkpoints seed by seed, where a key is a setting (learning rate, batch size, …) and a seed.

    Pairing removes what the seed (data order, initialisation of the head) does to both alike. Runs that share a seed
    share that, so they are not independent: a seed's difference is the mean over the settings that both have with it.
    The test flips the sign of each seed's difference (Fisher's permutation test for paired samples; all 2^n signs where
    few, else 9999 drawn), so it assumes no distribution; with n seeds its smallest p-value is 2^(1-n): five seeds
    cannot show p < 0.0625.

    Raises FinetuningError when no key is in both.
    """
    shared = [key for key in first if key in second]
    if not shared:
        raise FinetuningError(
            "the two sets of runs share no task, learning rate, batch size, epochs and seed: run both with one sweep"
        )
    by_seed: dict[int, list[float]] = {}
    for key in shared:
        by_seed.setdefault(key[1], []).append(second[key] - first[key])
    differences = _finite([sum(steps) / len(steps) for steps in by_seed.values()])
    p_value: float | None = None
    if differences.size >= 2:
        p_value = _sign_flip_p_value(differences)
    return Comparison(
        seeds=int(differences.size),
        pairs=len(shared),
        unpaired=len(first) + len(second) - 2 * len(shared),
        mean_difference=float(differences.mean()),
        interval=confidence_interval(differences.tolist(), method=method, level=level),
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        p_value=p_value,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for testing several tasks at once (Holm 1979, "A simple sequentially rejective multiple test
    procedure", Scandinavian Journal of Statistics 6): the chance of any false alarm stays at the level."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _sign_flip_p_value(differences: np.ndarray) -> float:
    result = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        alternative="two-sided",
        rng=np.random.default_rng(SEED),
    )
    return float(result.pvalue)
