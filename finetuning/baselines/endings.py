"""One of some endings: each by itself right or not, from its words and what it shares with its context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from finetuning.baselines.features import Features, ending_features
from finetuning.baselines.linear import LinearLearner
from finetuning.baselines.models import ClassModel, Model, Outputs
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.rows import ChoiceRow


class Endings(LinearLearner[ChoiceRow]):
    """Logistic regression of whether an ending is the right one; the likeliest of a row is its answer."""

    description = "logistic regression of each ending (its words and pairs of words, those of the context among them)"

    def size(self, row: ChoiceRow) -> int:
        return len(row.endings)

    def model(self, labels: Sequence[str]) -> Model:
        return ClassModel(2)

    def features(self, row: ChoiceRow) -> Iterable[Features]:
        context = f"{row.text_a} {row.text_b}"
        return (ending_features(context, ending) for ending in row.endings)

    def targets(self, rows: Sequence[ChoiceRow], labels: Sequence[str]) -> NDArray[np.int64]:
        return np.array([place == row.label for row in rows for place in range(len(row.endings))], np.int64)

    def predictions(self, rows: Sequence[ChoiceRow], labels: Sequence[str], outputs: Outputs) -> list[Prediction]:
        """Probabilities of a row's endings are scaled to a sum of 1."""
        found, low = [], 0
        for row in rows:
            chances = outputs[low : low + len(row.endings), 1]
            low += len(row.endings)
            shares = chances / max(float(chances.sum()), 1e-300)
            found.append(
                Prediction(row.id, row.label, int(chances.argmax()), [round(share, 6) for share in shares.tolist()])
            )
        return found
