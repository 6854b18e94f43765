"""Linear models of a class, of several labels, of a number: scikit-learn's, one interface.

Each makes Σ loss + λ/2 · |w|² least over the training rows; intercepts are free.
"""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

STEPS = 500
"""Most steps of one fit."""
TOLERANCE = 0.1
"""Of the largest slope of the sum of losses, where a fit is at its end: scikit-learn's own is of the mean, at which a
word of one row among thousands is not learnt at all."""
_SMALLEST = 1e-12
"""Probabilities below it count as it: a loss stays finite."""

Outputs = NDArray[np.float64]


class Model(Protocol):
    """One of these. `fit` comes first; again with another strength, it begins where it stood."""

    def fit(self, rows: csr_array, targets: NDArray[Any], strength: float) -> None:
        """[r, columns] and what is right for each row; `strength` is λ."""

    def outputs(self, rows: csr_array) -> Outputs:
        """[r, k] probabilities of the classes or labels, or [r, 1] numbers."""

    def loss(self, rows: csr_array, targets: NDArray[Any]) -> float:
        """The mean loss, in nats but for numbers."""

    @property
    def parameters(self) -> int:
        """Weights and intercepts."""

    @property
    def has_settled(self) -> bool:
        """Whether the last fit came to its end, and not to that of its steps."""


class ClassModel:
    """Logistic regression over so many classes; targets: [r] int64. Classes without a row have probability 0."""

    def __init__(self, classes: int, steps: int = STEPS) -> None:
        from sklearn.linear_model import LogisticRegression

        self._classes = classes
        self._model = LogisticRegression(max_iter=steps, warm_start=True)
        self._only: int | None = None
        """The class of all rows, where there is one alone: nothing is to be learnt."""

    def fit(self, rows: csr_array, targets: NDArray[np.int64], strength: float) -> None:
        seen = np.unique(targets)
        self._only = int(seen[0]) if len(seen) == 1 else None
        if self._only is None:
            self._model.C, self._model.tol = 1 / strength, TOLERANCE / len(targets)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `has_settled` says it
                self._model.fit(rows, targets)

    def outputs(self, rows: csr_array) -> Outputs:
        found = np.zeros((rows.shape[0], self._classes))
        if self._only is not None:
            found[:, self._only] = 1
        else:
            found[:, self._model.classes_] = self._model.predict_proba(rows)
        return found

    def loss(self, rows: csr_array, targets: NDArray[np.int64]) -> float:
        right = self.outputs(rows)[np.arange(len(targets)), targets]
        return float(-np.log(np.maximum(right, _SMALLEST)).mean())

    @property
    def parameters(self) -> int:
        return 0 if self._only is not None else int(self._model.coef_.size + self._model.intercept_.size)

    @property
    def has_settled(self) -> bool:
        return self._only is not None or int(self._model.n_iter_.max()) < self._model.max_iter


class LabelsModel:
    """A logistic regression for each label; targets: [r, labels] float32, 1 where it is right, else 0."""

    def __init__(self, labels: int) -> None:
        self._models = [ClassModel(2) for _ in range(labels)]

    def fit(self, rows: csr_array, targets: NDArray[np.float32], strength: float) -> None:
        for model, column in zip(self._models, targets.T.astype(np.int64), strict=True):
            model.fit(rows, column, strength)

    def outputs(self, rows: csr_array) -> Outputs:
        return np.stack([model.outputs(rows)[:, 1] for model in self._models], axis=1)

    def loss(self, rows: csr_array, targets: NDArray[np.float32]) -> float:
        columns = targets.T.astype(np.int64)
        return float(np.mean([model.loss(rows, column) for model, column in zip(self._models, columns, strict=True)]))

    @property
    def parameters(self) -> int:
        return sum(model.parameters for model in self._models)

    @property
    def has_settled(self) -> bool:
        return all(model.has_settled for model in self._models)


class NumberModel:
    """Ridge regression (its loss is half the squared error); targets: [r] float32."""

    def __init__(self) -> None:
        from sklearn.linear_model import Ridge

        self._model = Ridge(solver="sparse_cg")

    def fit(self, rows: csr_array, targets: NDArray[np.float32], strength: float) -> None:
        self._model.alpha = strength
        self._model.fit(rows, targets)

    def outputs(self, rows: csr_array) -> Outputs:
        return np.asarray(self._model.predict(rows), np.float64)[:, None]

    def loss(self, rows: csr_array, targets: NDArray[np.float32]) -> float:
        """Of the squared error, as fine-tuning has it."""
        return float(np.mean((self.outputs(rows)[:, 0] - targets) ** 2))

    @property
    def parameters(self) -> int:
        return int(self._model.coef_.size) + 1

    @property
    def has_settled(self) -> bool:
        return True  # conjugate gradients have no end but their own
