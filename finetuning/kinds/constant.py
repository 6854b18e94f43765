"""The constant answers that a run must beat, and how surely it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.failure import Failure, failure_of
from finetuning.kinds.loading import kind_of
from finetuning.kinds.metrics.resampling import resampled_scores
from finetuning.kinds.rows import Row
from finetuning.tasks.task import Task

LEVEL = 0.95
RESAMPLES = 1000
SEED = 20070614  # fixes the resampling: a run has the same result each time


@dataclass(frozen=True)
class BestConstant:
    """What a run must beat on a dev split."""

    majority_score: float
    """The score of the constant answer that is commonest in training."""
    score: float
    """The best score of any constant answer on the dev split itself; never below `majority_score`."""
    answers: tuple[Prediction, ...]
    """The constant answer that has it."""


def best_constant(task: Task, train: Sequence[Row], dev: Sequence[Row]) -> BestConstant:
    """The best of the constant answers to `dev`, by the task's main metric."""
    kind = kind_of(task)
    candidates = [kind.constant(task, train, dev), *kind.constants(task, dev)]
    scores = [kind.score(task, dev, answers)[task.metric] for answers in candidates]
    best = int(np.argmax(scores))
    return BestConstant(scores[0], scores[best], tuple(candidates[best]))


def why_failed(
    task: Task,
    rows: Sequence[Row],
    answers: Sequence[Prediction],
    score: float,
    best: BestConstant,
    *,
    diverged: bool = False,
) -> Failure | None:
    """Why a run with these answers to the dev rows, and this main metric, failed; None where it did not."""
    # A single row has no second answer to differ from.
    is_constant = len(rows) > 1 and kind_of(task).is_constant(task, rows, answers)
    return failure_of(score, best.score, is_constant=is_constant, diverged=diverged)


def above_constant(task: Task, answers: Sequence[Prediction], best: BestConstant) -> tuple[float, float] | None:
    """The 95 % interval of score minus the best constant answer's, over samples of dev rows like this one.

    Percentile bootstrap over rows (Efron 1979), the same rows for both. An interval that reaches 0 or below: the run
    is not told from a constant answer. None for a kind that cannot score weighted rows.
    """
    kind = kind_of(task)
    scorers = [kind.weighted_score(task, given) for given in (answers, best.answers)]
    known = [scorer for scorer in scorers if scorer is not None]
    if len(known) < len(scorers):
        return None
    scores_b2 = resampled_scores(known, len(answers), RESAMPLES, SEED)
    low, high = np.quantile(scores_b2[:, 0] - scores_b2[:, 1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
