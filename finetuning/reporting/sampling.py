"""How far a score hangs on the dev rows that happened to be there, beside the seeds: each alone, and both together.

Scores are crossed: every run answers every row. Resampling rows and runs independently (the pigeonhole bootstrap; Owen
2007, "The pigeonhole bootstrap", Annals of Applied Statistics 1) is right for many of both, but of five seeds it sees
too little spread. So rows are resampled, by the task's own metric, and the seeds' variance is Student's, with few
degrees of freedom; `benchmarks/coverage.py` has both beside each other.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from finetuning.kinds.metrics.resampling import WeightedScore, resampled_scores
from finetuning.reporting.significance import LEVEL, SEED, StandardError, seed_error

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Sampling:
    """Standard errors of the mean score of some runs, and half the widths of 95 % intervals around it."""

    rows: int
    """Dev rows, which count as drawn independently."""
    runs: int
    resamples: int
    """Of rows."""
    error_of_seeds: StandardError | None
    """Further seeds, the same rows; None for one run."""
    error_of_examples: StandardError
    """Other rows like these, the same runs."""
    error_of_both: StandardError | None
    """Further seeds and other rows; None for one run."""
    half_width_of_seeds: float | None
    half_width_of_examples: float
    half_width_of_both: float | None
    """Never less than either: rows bring degrees of freedom, but no knowledge of seeds."""


def sampling(
    scorers: Sequence[WeightedScore],
    rows: int,
    scores: Sequence[float],
    starts: Sequence[Hashable] | None = None,
    level: float = LEVEL,
) -> Sampling:
    """Of runs with these scores on the same rows, a scorer each; `starts` as `significance.seed_error` takes them."""
    scores_br = resampled_scores(scorers, rows, RESAMPLES, SEED)
    of_seeds = seed_error(scores, starts)
    of_mean, of_one = float(scores_br.mean(1).var(ddof=1)), float(scores_br.var(0, ddof=1).mean())
    of_examples = StandardError(math.sqrt(of_mean), max(rows - 1, 1))
    both = None if of_seeds is None else both_errors(of_seeds, of_examples, of_one, len(scores))
    return Sampling(
        rows=rows,
        runs=len(scores),
        resamples=RESAMPLES,
        error_of_seeds=of_seeds,
        error_of_examples=of_examples,
        error_of_both=both,
        half_width_of_seeds=None if of_seeds is None else _half_width(of_seeds, level),
        half_width_of_examples=_half_width(of_examples, level),
        half_width_of_both=None
        if of_seeds is None or both is None
        else max(_half_width(error, level) for error in (of_seeds, of_examples, both)),
    )


def both_errors(
    of_seeds: StandardError, of_examples: StandardError, variance_of_one: float, runs: int
) -> StandardError:
    """The error of a mean over `runs` seeds and the rows of a split, neither of them fixed.

    Variances of crossed random effects add up, but what seeds and rows have in common (a row that one run answers and
    another does not) is in both errors, and counted once: the rows' variance of one run's score (`variance_of_one`) is
    above that of the mean by that part alone. Degrees of freedom by Satterthwaite (1946, "An approximate distribution
    of estimates of variance components", Biometrics 2).
    """
    seeds, examples = of_seeds.value**2, of_examples.value**2
    shared = max(0.0, variance_of_one - examples) / (runs - 1)
    total = max(seeds + examples - shared, seeds, examples)
    if total == 0.0:
        return StandardError(0.0, of_seeds.degrees)
    degrees = total**2 / (seeds**2 / of_seeds.degrees + examples**2 / of_examples.degrees)
    return StandardError(math.sqrt(total), degrees)


def scores_as_they_stand(scorers: Sequence[WeightedScore], rows: int) -> NDArray[np.float64]:
    """[r] the score of each run with every row once: what its result must say."""
    return np.concatenate([scorer(np.ones((1, rows))) for scorer in scorers])


def _half_width(error: StandardError, level: float) -> float:
    return float(stats.t.ppf(0.5 + level / 2, df=error.degrees)) * error.value
