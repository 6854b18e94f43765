"""The answers of all runs of a setting to the same dev rows, and what they say of the score's errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import read_prediction
from finetuning.kinds.loading import kind_of, load_task
from finetuning.reporting.gather import FinishedRun, predictions
from finetuning.reporting.sampling import Sampling, sampling, scores_as_they_stand
from finetuning.reporting.starts import starts_of

TOLERANCE = 1e-4
"""Between a score and that of the prediction file, where probabilities have six decimals."""


def crossed(runs: Sequence[FinishedRun]) -> tuple[Sampling | None, str]:
    """The errors over seeds and dev rows of the mean score of `runs`, of one setting; or None, and why in words."""
    task = load_task(runs[0].result.spec.task).model_copy(update={"metric": runs[0].result.metric})
    scorers, rows = [], []
    for run in runs:  # one after the other: a large split takes tens of MB
        try:
            answers = [read_prediction(line) for line in predictions(run, task.dev[0])]
            scorer = kind_of(task).weighted_score(task, answers)
        except FinetuningError as error:
            return None, str(error)
        except (KeyError, TypeError, ValueError) as error:
            return None, f"the predictions of {run.folder} are not understood ({error!r})"
        if scorer is None:
            return None, f"{task.kind} tasks have no score of weighted rows"
        scorers.append(scorer)
        rows.append(len(answers))
    if len(set(rows)) > 1:
        return None, f"the runs answered different numbers of rows: {', '.join(map(str, rows))}"
    if rows[0] < 2:
        return None, "there is only one dev row"
    scores = [run.result.score for run in runs]
    for run, found in zip(runs, scores_as_they_stand(scorers, rows[0]).tolist(), strict=True):
        if not math.isclose(found, run.result.score, abs_tol=TOLERANCE):
            return None, f"the predictions of {run.folder} score {found:.4f}, its result says {run.result.score:.4f}"
    return sampling(scorers, rows[0], scores, starts_of(runs)), ""
