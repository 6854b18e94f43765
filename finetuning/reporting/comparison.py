"""Whether two checkpoints differ: runs of the same setting and seed against each other."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import stats

from finetuning.errors import FinetuningError
from finetuning.reporting.significance import LEVEL, RESAMPLES, SEED, Interval, IntervalMethod, confidence_interval

Setting = TypeVar("Setting", bound=Hashable)


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
    smallest_p_value: float | None
    """That so few seeds could show at all, however large the difference."""


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
    differences = np.array([sum(steps) / len(steps) for steps in by_seed.values()])
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
        smallest_p_value=None if p_value is None else smallest_p_value(int(differences.size)),
    )


def smallest_p_value(seeds: int) -> float:
    """2 of 2^n signs, or of those that are drawn where there are more."""
    return 2.0 ** (1 - seeds) if 2**seeds <= RESAMPLES else 2 / (RESAMPLES + 1)


def seeds_needed(tests: int, level: float = 1 - LEVEL) -> int:
    """The fewest seeds with which the clearest of `tests` comparisons can be below `level` after Holm's adjustment."""
    return 1 + math.ceil(math.log2(max(tests, 1) / level))


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
