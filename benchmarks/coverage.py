"""How often the report's intervals cover what they should: simulated sweeps in which the truth is known.

    python -m benchmarks.coverage [--repetitions 20000] [--seed 1]

prints what docs/sweeps.md shows. Scores are normal unless a table says otherwise, in units of a seed's standard
deviation; an interval of 95 % should cover 95 % of the time or more. The factors that turn a standard error into an
interval are those of `finetuning.reporting`, taken from it by its own functions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from finetuning.reporting.best_setting import choice_interval
from finetuning.reporting.sampling import both_errors
from finetuning.reporting.significance import LEVEL, StandardError
from preprocessing.arguments import OptionParser

Array = NDArray[np.float64]
SETTINGS, SEEDS = (1, 4, 8, 24), (5, 10)


@dataclass(frozen=True)
class ChoiceCoverage:
    """Of the setting with the highest mean, over repetitions of a sweep. Shares are fractions."""

    plain: float
    """Share of t intervals of the chosen setting's scores alone that cover its true mean."""
    for_choice: float
    """Of `choice_interval`."""
    held_out: float
    """Of t intervals over the held-out scores."""
    too_high: float
    """Mean of the chosen setting's mean minus its true one."""
    held_out_too_high: float


Truth = Callable[[int], tuple[Array, Array]]
"""Number of settings → true mean and spread of each."""
TRUTHS: dict[str, Truth] = {
    "equal means": lambda k: (np.zeros(k), np.ones(k)),
    "means over one sd": lambda k: (np.linspace(-1.0, 0.0, k) if k > 1 else np.zeros(1), np.ones(k)),
    "one far above": lambda k: (np.append(np.full(k - 1, -4.0), 0.0), np.ones(k)),
    "spreads from 0.3 to 3": lambda k: (np.zeros(k), np.geomspace(0.3, 3.0, k) if k > 1 else np.ones(1)),
}


def choice_coverage(
    settings: int,
    seeds: int,
    truth: Truth,
    repetitions: int,
    seed: int,
    *,
    shared: float = 0.0,
    failing: float = 0.0,
) -> ChoiceCoverage:
    """Sweeps of normal scores. `shared`: the part of the variance that settings of one seed have in common;
    `failing`: the share of runs that fail, 5 below the others."""
    draw = np.random.default_rng(seed)
    means_k, spreads_k = truth(settings)
    scores_bnk = draw.standard_normal((repetitions, seeds, settings)) * np.sqrt(1 - shared)
    scores_bnk += draw.standard_normal((repetitions, seeds, 1)) * np.sqrt(shared)
    scores_bnk = scores_bnk * spreads_k + means_k
    if failing:
        scores_bnk -= 5.0 * (draw.random(scores_bnk.shape) < failing)
        means_k = means_k - 5.0 * failing
    mean_bk, error_bk = scores_bnk.mean(1), scores_bnk.std(1, ddof=1) / np.sqrt(seeds)
    every, best = np.arange(repetitions), mean_bk.argmax(1)
    true_b, mean_b, error_b = means_k[best], mean_bk[every, best], error_bk[every, best]
    others_bnk = scores_bnk.sum(1, keepdims=True) - scores_bnk
    held_out_bn = np.take_along_axis(scores_bnk, others_bnk.argmax(2)[:, :, None], 2)[:, :, 0]
    low, high = factors(seeds, settings)
    _, plain = factors(seeds, 1)
    held_mean_b, held_error_b = held_out_bn.mean(1), held_out_bn.std(1, ddof=1) / np.sqrt(seeds)
    return ChoiceCoverage(
        plain=_share(np.abs(mean_b - true_b) <= plain * error_b),
        for_choice=_share((mean_b - low * error_b <= true_b) & (true_b <= mean_b + high * error_b)),
        held_out=_share(np.abs(held_mean_b - true_b) <= plain * held_error_b),
        too_high=float((mean_b - true_b).mean()),
        held_out_too_high=float((held_mean_b - true_b).mean()),
    )


def factors(seeds: int, settings: int) -> tuple[float, float]:
    """How many standard errors `choice_interval` reaches below a mean and above it, for any scores."""
    scores = [float(n) for n in range(seeds)]
    interval = choice_interval(scores, settings)
    assert interval is not None
    error = float(np.std(scores, ddof=1)) / seeds**0.5
    middle = float(np.mean(scores))
    return (middle - interval.low) / error, (interval.high - middle) / error


@dataclass(frozen=True)
class CrossedCoverage:
    """Of the mean score over seeds and rows. Shares are fractions."""

    seeds: float
    """Share of intervals that cover, of those that allow for seeds alone."""
    examples: float
    both: float
    pigeonhole: float | None
    """Percentile intervals of the bootstrap over seeds and rows; None where it was left out."""


def crossed_coverage(
    seeds: int,
    rows: int,
    spreads: tuple[float, float, float],
    repetitions: int,
    seed: int,
    *,
    pigeonhole: int = 0,
) -> CrossedCoverage:
    """Scores of every run on every row, a sum of normal effects: of the run, of the row and of both together, with
    these standard deviations. The true mean is 0. `pigeonhole`: its resamples in each repetition."""
    draw = np.random.default_rng(seed)
    of_run, of_row, of_both = spreads
    covered = {"seeds": 0, "examples": 0, "both": 0, "pigeonhole": 0}
    tail = 0.5 + LEVEL / 2
    for _ in range(repetitions):
        scores_rc = of_run * draw.standard_normal((seeds, 1)) + of_row * draw.standard_normal((1, rows))
        scores_rc += of_both * draw.standard_normal((seeds, rows))
        mean = float(scores_rc.mean())
        of_seeds = StandardError(float(scores_rc.mean(1).std(ddof=1)) / seeds**0.5, seeds - 1)
        # What endless resamples of the rows come to.
        of_examples = StandardError(float(scores_rc.mean(0).std()) / rows**0.5, rows - 1)
        both = both_errors(of_seeds, of_examples, float(scores_rc.var(1).mean()) / rows, seeds)
        for name, error in (("seeds", of_seeds), ("examples", of_examples), ("both", both)):
            covered[name] += abs(mean) <= float(stats.t.ppf(tail, error.degrees)) * error.value
        if pigeonhole:
            runs_br = draw.multinomial(seeds, np.full(seeds, 1 / seeds), pigeonhole) / seeds
            rows_bc = draw.multinomial(rows, np.full(rows, 1 / rows), pigeonhole) / rows
            low, high = np.quantile(((runs_br @ scores_rc) * rows_bc).sum(1), [1 - tail, tail])
            covered["pigeonhole"] += low <= 0.0 <= high
    shares = {name: count / repetitions for name, count in covered.items()}
    return CrossedCoverage(
        shares["seeds"], shares["examples"], shares["both"], shares["pigeonhole"] if pigeonhole else None
    )


def _share(covered: NDArray[np.bool_]) -> float:
    return float(covered.mean())


def choice_table(repetitions: int, seed: int) -> Iterator[str]:
    """A line for each number of settings and seeds, and each truth."""
    columns = ("scores", "settings", "seeds", "plain", "for the choice", "held out")
    yield f"| {' | '.join(columns)} | mean too high by | held-out mean too high by |"
    yield "|---|---|---|---|---|---|---|---|"
    cases: list[tuple[str, Truth, dict[str, float]]] = [(name, truth, {}) for name, truth in TRUTHS.items()]
    cases.append(("equal means, half of the variance shared", TRUTHS["equal means"], {"shared": 0.5}))
    cases.append(("equal means, a tenth of the runs fail", TRUTHS["equal means"], {"failing": 0.1}))
    for name, truth, options in cases:
        for seeds in SEEDS:
            for settings in SETTINGS:
                found = choice_coverage(settings, seeds, truth, repetitions, seed, **options)
                figures = " | ".join(f"{100 * x:.1f}" for x in (found.plain, found.for_choice, found.held_out))
                yield (
                    f"| {name} | {settings} | {seeds} | {figures} | {found.too_high:+.2f} | "
                    f"{found.held_out_too_high:+.2f} |"
                )


CROSSED: dict[str, tuple[float, float, float]] = {
    "rows alone": (0.0, 1.0, 1.0),
    "seeds alone": (0.1, 0.0, 1.0),
    "both alike": (0.06, 1.0, 1.0),
    "seeds above rows": (0.2, 1.0, 1.0),
    "seeds far above rows": (1.0, 1.0, 1.0),
}
"""Standard deviations of runs, rows, and of both together; 277 rows as RTE has."""


def crossed_table(repetitions: int, seed: int) -> Iterator[str]:
    """A line for each number of seeds and each mixture of spreads."""
    yield "| what varies | seeds | rows | seeds alone | rows alone | both | pigeonhole bootstrap |"
    yield "|---|---|---|---|---|---|---|"
    for name, spreads in CROSSED.items():
        for seeds in SEEDS:
            found = crossed_coverage(seeds, 277, spreads, repetitions, seed, pigeonhole=400)
            figures = (found.seeds, found.examples, found.both, found.pigeonhole or 0.0)
            yield f"| {name} | {seeds} | 277 | {' | '.join(f'{100 * share:.1f}' for share in figures)} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = OptionParser("python -m benchmarks.coverage", (__doc__ or "").split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=20_000, help="simulated sweeps of each line")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation")
    arguments = parser.parse_args(argv)
    for line in choice_table(arguments.repetitions, arguments.seed):
        print(line, flush=True)
    print()
    for line in crossed_table(max(1, arguments.repetitions // 10), arguments.seed):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
