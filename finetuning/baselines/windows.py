"""A tag for each word, from itself, its ends and shape, and its neighbours: the classic features, tags apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from finetuning.baselines.features import Features, window_features
from finetuning.baselines.linear import LinearLearner
from finetuning.baselines.models import ClassModel, Model, Outputs
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.rows import TokenRow

STEPS = 100
"""Most steps of a fit: more cost minutes, and change little."""


class Windows(LinearLearner[TokenRow]):
    """Logistic regression over the tags, each word by itself: no tag knows the one before it."""

    description = "logistic regression of each word (itself, its ends and shape, two words on either side)"
    fewest = 2
    # A sentence has some twenty items, each with some twenty features and as many tags.
    strengths = (3.0, 1.0, 0.3)
    most_learnt = 2_000

    def size(self, row: TokenRow) -> int:
        return len(row.words)

    def model(self, labels: Sequence[str]) -> Model:
        return ClassModel(len(labels), STEPS)

    def features(self, row: TokenRow) -> Iterable[Features]:
        return window_features(row.words)

    def targets(self, rows: Sequence[TokenRow], labels: Sequence[str]) -> NDArray[np.int64]:
        number = {label: index for index, label in enumerate(labels)}
        return np.array([number[tag] for row in rows for tag in row.tags or ()], np.int64)

    def predictions(self, rows: Sequence[TokenRow], labels: Sequence[str], outputs: Outputs) -> list[Prediction]:
        found, low = [], 0
        best, shares = outputs.argmax(1), outputs.max(1)
        for row in rows:
            own = slice(low, low + len(row.words))
            low += len(row.words)
            tags = [labels[number] for number in best[own].tolist()]
            right = None if row.tags is None else list(row.tags)
            found.append(Prediction(row.id, right, tags, [round(share, 4) for share in shares[own].tolist()]))
        return found
