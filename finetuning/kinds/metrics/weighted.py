"""The metrics of `definitions.py` and `squad.py` for rows with weights: whole numbers say how often a row counts.

With them a bootstrap over rows costs a product of matrices instead of a resampled split. Each function returns what
maps weights [b, i] to scores [b]; a test holds every one of them against the definition on rows written out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.metrics.resampling import WeightedScore

Array = NDArray[np.float64]


def weighted_class_metric(name: str, gold: Sequence[Any], predicted: Sequence[Any], positive: Any) -> WeightedScore:
    """`accuracy`, `f1` (of the class `positive`), `macro_f1` or `matthews_correlation`."""
    right_i = np.array([a == b for a, b in zip(gold, predicted, strict=True)], np.float64)
    if name == "accuracy":
        return weighted_mean(right_i)
    classes = [positive] if name == "f1" else sorted({*gold, *predicted}, key=str)
    gold_ic, given_ic = (
        np.array([[label == known for known in classes] for label in labels], np.float64).reshape(len(labels), -1)
        for labels in (gold, predicted)
    )
    if name == "f1":
        return weighted_f1(gold_ic, given_ic)
    if name == "macro_f1":
        return weighted_f1(gold_ic, given_ic, average="classes that occur")
    if name != "matthews_correlation":
        raise ValueError(name)

    def matthews(totals_bk: Array) -> Array:
        """Gorodkin's R_K from correct rows, right and given rows of each class."""
        correct_b, gold_bc, given_bc = totals_bk[:, 0], *np.split(totals_bk[:, 1:], 2, axis=1)
        rows_b = gold_bc.sum(1)
        covariance_b = correct_b * rows_b - (gold_bc * given_bc).sum(1)
        spread_b = (rows_b**2 - (gold_bc**2).sum(1)) * (rows_b**2 - (given_bc**2).sum(1))
        return covariance_b / np.sqrt(np.where(spread_b > 0, spread_b, np.inf))

    return _of_totals(np.hstack([right_i[:, None], gold_ic, given_ic]), matthews)


def weighted_f1(gold_ic: Array, given_ic: Array, average: str = "micro") -> WeightedScore:
    """F1 of decisions, 1 or 0 each. `micro`: over all; `all classes`: mean of the classes' own, 0 for one that does
    not occur; `classes that occur`: mean over the others."""

    def f1(totals_bk: Array) -> Array:
        hits_bc, sizes_bc = np.split(totals_bk, 2, axis=1)
        if average == "micro":
            return _share(2 * hits_bc.sum(1), sizes_bc.sum(1))
        count_b = (sizes_bc > 0).sum(1) if average == "classes that occur" else np.full(len(sizes_bc), gold_ic.shape[1])
        return _share(_share(2 * hits_bc, sizes_bc).sum(1), count_b)

    return _of_totals(np.hstack([gold_ic * given_ic, gold_ic + given_ic]), f1)


def weighted_entity_metric(name: str, counts_i5: Array) -> WeightedScore:
    """`entity_f1`, `entity_precision`, `entity_recall` or `accuracy`; counts as `entities.sentence_counts` has them."""

    def score(totals_b5: Array) -> Array:
        correct, given, right, same, words = totals_b5.T
        return {
            "entity_f1": _share(2 * correct, given + right),
            "entity_precision": _share(correct, given),
            "entity_recall": _share(correct, right),
            "accuracy": _share(same, words),
        }[name]

    return _of_totals(counts_i5, score)


def weighted_number_metric(name: str, gold: Sequence[float], predicted: Sequence[float]) -> WeightedScore:
    """`pearson`, `spearman` or `mean_squared_error`; a correlation with a constant side is 0."""
    gold_i, given_i = np.asarray(gold, np.float64), np.asarray(predicted, np.float64)
    if name == "mean_squared_error":
        return weighted_mean((gold_i - given_i) ** 2)
    if name == "pearson":
        return lambda weights_bi: _correlation(weights_bi, gold_i[None], given_i[None])
    if name != "spearman":
        raise ValueError(name)
    ranks = [_weighted_ranks(values) for values in (gold_i, given_i)]
    return lambda weights_bi: _correlation(weights_bi, *(rank(weights_bi) for rank in ranks))


def weighted_mean(values_i: Array) -> WeightedScore:
    """The mean of a value that each row has."""
    return lambda weights_bi: _share(weights_bi @ values_i, weights_bi.sum(1))


def weighted_best_threshold(
    values_i: Array, answerable_i: NDArray[np.bool_], spans: Sequence[str], null_odds: Sequence[float]
) -> WeightedScore:
    """The best mean over all null thresholds, as `squad.best_threshold` finds it. `values_i`: of the best spans."""
    order = np.argsort(np.asarray(null_odds), kind="stable")
    gained_i = np.where(answerable_i, values_i, [-1.0 if span else 0.0 for span in spans])[order]

    def score(weights_bi: Array) -> Array:
        silent_b = weights_bi @ ~answerable_i
        above_b = np.cumsum(weights_bi[:, order] * gained_i, axis=1).max(1, initial=0.0)
        return _share(silent_b + above_b, weights_bi.sum(1))

    return score


def _of_totals(statistics_ik: Array, score: Callable[[Array], Array]) -> WeightedScore:
    """A metric that hangs on sums over rows only."""
    return lambda weights_bi: score(weights_bi @ statistics_ik)


def _share(part: Array, whole: Array) -> Array:
    """0 where there is nothing to have a part of."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)


def _weighted_ranks(values_i: Array) -> Callable[[Array], Array]:
    """Ranks [b, i] of rows that count as often as their weight says, ties by mean rank (but for a constant)."""
    order = np.argsort(values_i, kind="stable")
    _, first, group_i = np.unique(values_i[order], return_index=True, return_counts=False, return_inverse=True)
    group_of_row = np.empty(len(values_i), np.int64)
    group_of_row[order] = group_i

    def ranks(weights_bi: Array) -> Array:
        size_bg = np.add.reduceat(weights_bi[:, order], first, axis=1)
        return (np.cumsum(size_bg, axis=1) - size_bg / 2)[:, group_of_row]

    return ranks


def _correlation(weights_bi: Array, x_bi: Array, y_bi: Array) -> Array:
    total_b1 = weights_bi.sum(1, keepdims=True)
    x_bi, y_bi = (
        values - (weights_bi * values).sum(1, keepdims=True) / total_b1 for values in np.broadcast_arrays(x_bi, y_bi)
    )
    covariance_b, x_b, y_b = ((weights_bi * product).sum(1) for product in (x_bi * y_bi, x_bi**2, y_bi**2))
    # A resample may hold one value only; what rounding leaves of its spread is no spread.
    spread_b = np.where((x_b > 1e-18) & (y_b > 1e-18), x_b * y_b, np.inf)
    return covariance_b / np.sqrt(spread_b)
