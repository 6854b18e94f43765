"""A class, several labels or a number for one or two texts, from their words and pairs of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from finetuning.baselines.features import Features, pair_features, text_features
from finetuning.baselines.linear import AnyRow, LinearLearner
from finetuning.baselines.models import ClassModel, LabelsModel, Model, NumberModel, Outputs
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.multi_label import LabelsRow
from finetuning.kinds.rows import TextRow

READS = "words and pairs of words; of two texts those of each, the words in both and their shares"


class OfTexts(LinearLearner[AnyRow]):
    """What these have in common: one item a row."""

    def features(self, row: AnyRow) -> Iterable[Features]:
        assert isinstance(row, TextRow | LabelsRow)
        yield text_features(row.text_a) if row.text_b is None else pair_features(row.text_a, row.text_b)


class ClassOfTexts(OfTexts[TextRow]):
    """Logistic regression over the classes."""

    description = f"logistic regression ({READS})"

    def model(self, labels: Sequence[str]) -> Model:
        return ClassModel(len(labels))

    def targets(self, rows: Sequence[TextRow], labels: Sequence[str]) -> NDArray[np.int64]:
        number = {label: index for index, label in enumerate(labels)}
        return np.array([number[str(row.label)] for row in rows], np.int64)

    def predictions(self, rows: Sequence[TextRow], labels: Sequence[str], outputs: Outputs) -> list[Prediction]:
        return [
            Prediction(row.id, row.label, labels[best], _shares(labels, shares))
            for row, best, shares in zip(rows, outputs.argmax(1).tolist(), outputs.tolist(), strict=True)
        ]


class LabelsOfTexts(OfTexts[LabelsRow]):
    """A logistic regression for each label, which is given where its probability is above 0.5."""

    description = f"a logistic regression for each label ({READS})"

    def model(self, labels: Sequence[str]) -> Model:
        return LabelsModel(len(labels))

    def targets(self, rows: Sequence[LabelsRow], labels: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[label in (row.labels or ()) for label in labels] for row in rows], np.float32)

    def predictions(self, rows: Sequence[LabelsRow], labels: Sequence[str], outputs: Outputs) -> list[Prediction]:
        found = []
        for row, shares in zip(rows, outputs.tolist(), strict=True):
            given = [label for label, share in zip(labels, shares, strict=True) if share > 0.5]
            right = None if row.labels is None else list(row.labels)
            found.append(Prediction(row.id, right, given, _shares(labels, shares)))
        return found


class NumberOfTexts(OfTexts[TextRow]):
    """Ridge regression."""

    description = f"ridge regression ({READS})"

    def model(self, labels: Sequence[str]) -> Model:
        return NumberModel()

    def targets(self, rows: Sequence[TextRow], labels: Sequence[str]) -> NDArray[np.float32]:
        return np.array([row.label for row in rows], np.float32)

    def predictions(self, rows: Sequence[TextRow], labels: Sequence[str], outputs: Outputs) -> list[Prediction]:
        return [
            Prediction(row.id, row.label, value, [value])
            for row, value in zip(rows, outputs[:, 0].tolist(), strict=True)
        ]


def _shares(labels: Sequence[str], shares: Sequence[float]) -> dict[str, float]:
    return {label: round(share, 6) for label, share in zip(labels, shares, strict=True)}
