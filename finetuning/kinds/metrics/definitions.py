"""Scores by the official definitions: scikit-learn, scipy, seqeval, and SQuAD's own normalisation.

All are fractions in [0, 1], correlations in [-1, 1], mean squared error in squared units of the label.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

ClassMetric = Callable[[Sequence[str], Sequence[str], str], float]


def accuracy(gold: Sequence[Any], predicted: Sequence[Any], _positive: str = "") -> float:
    """Share of rows whose prediction is the label."""
    return sum(a == b for a, b in zip(gold, predicted, strict=True)) / len(gold)


def f1(gold: Sequence[str], predicted: Sequence[str], positive: str) -> float:
    """F1 of the positive class; 0 where it is neither there nor predicted."""
    from sklearn.metrics import f1_score

    binary = [[label == positive for label in labels] for labels in (gold, predicted)]
    return float(f1_score(*binary, zero_division=0))


def macro_f1(gold: Sequence[str], predicted: Sequence[str], _positive: str = "") -> float:
    """Unweighted mean of the classes' F1, over the classes that occur."""
    from sklearn.metrics import f1_score

    return float(f1_score(gold, predicted, average="macro", zero_division=0))


def matthews_correlation(gold: Sequence[str], predicted: Sequence[str], _positive: str = "") -> float:
    """Matthews' correlation (for more classes, Gorodkin's R_K); 0 where one side is constant."""
    from sklearn.metrics import matthews_corrcoef

    if len(set(gold)) < 2 and len(set(predicted)) < 2:
        return 0.0
    return float(matthews_corrcoef(gold, predicted))


def pearson(gold: Sequence[float], predicted: Sequence[float]) -> float:
    """Pearson's correlation; 0 where it is undefined (a constant side, fewer than two rows)."""
    from scipy.stats import pearsonr

    return _correlation(pearsonr, gold, predicted)


def spearman(gold: Sequence[float], predicted: Sequence[float]) -> float:
    """Spearman's rank correlation, ties by mean rank; 0 where it is undefined."""
    from scipy.stats import spearmanr

    return _correlation(spearmanr, gold, predicted)


def mean_squared_error(gold: Sequence[float], predicted: Sequence[float]) -> float:
    """Mean of the squared differences."""
    return float(np.mean((np.asarray(gold, float) - np.asarray(predicted, float)) ** 2))


def entity_scores(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Precision, recall and F1 of whole entities (type and both ends right), as conlleval counts; word accuracy.

    `gold` and `predicted`: the tags of each sentence in the IOB2 scheme.
    """
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

    with warnings.catch_warnings():
        # seqeval warns of tags that are no IOB2 (a user's own part-of-speech tags), and where nothing is predicted.
        warnings.simplefilter("ignore")
        precision, recall, entity_f1, _ = precision_recall_fscore_support(
            [list(tags) for tags in gold], [list(tags) for tags in predicted], average="micro", zero_division=0
        )
    flat_gold, flat_predicted = ([tag for tags in sentences for tag in tags] for sentences in (gold, predicted))
    return {
        "entity_f1": float(entity_f1),
        "entity_precision": float(precision),
        "entity_recall": float(recall),
        "accuracy": accuracy(flat_gold, flat_predicted) if flat_gold else 0.0,
    }


CLASS_METRICS: dict[str, ClassMetric] = {
    "accuracy": accuracy,
    "f1": f1,
    "macro_f1": macro_f1,
    "matthews_correlation": matthews_correlation,
}
NUMBER_METRICS: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "pearson": pearson,
    "spearman": spearman,
    "mean_squared_error": mean_squared_error,
}
LOWER_IS_BETTER = frozenset({"mean_squared_error"})


def _correlation(function: Callable[..., Any], gold: Sequence[float], predicted: Sequence[float]) -> float:
    if len(gold) < 2:
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a constant side, which gives nan: scored 0 here
        value = float(function(np.asarray(gold, float), np.asarray(predicted, float)).statistic)
    return value if math.isfinite(value) else 0.0
