"""A linear model of a task's rows: features, the choice of the strength, the last fit, the answers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from finetuning.baselines.features import Columns, Features, Hashed, hashed
from finetuning.baselines.learner import Learnt
from finetuning.baselines.models import Model, Outputs
from finetuning.baselines.strength import MOST_LEARNT, STRENGTHS, USUAL, held_out
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import kind_of
from finetuning.kinds.rows import Row
from finetuning.tasks.task import Task

AnyRow = TypeVar("AnyRow", bound=Row)


class LinearLearner(ABC, Generic[AnyRow]):
    """A baseline whose rows have one item or several (words, endings), each with features and something right.

    What differs between kinds of task is the methods below.
    """

    description: ClassVar[str]
    fewest: ClassVar[int] = 1
    """Items that must have a feature for it to be learnt."""
    strengths: ClassVar[tuple[float, ...]] = STRENGTHS
    most_learnt: ClassVar[int] = MOST_LEARNT
    """Rows that are learnt from while the strength is chosen."""

    def __init__(self) -> None:
        self._task: Task
        self._labels: tuple[str, ...]
        self._columns: Columns
        self._model: Model

    @abstractmethod
    def model(self, labels: Sequence[str]) -> Model:
        """One that has learnt nothing yet."""

    @abstractmethod
    def features(self, row: AnyRow) -> Iterable[Features]:
        """Of each item of a row."""

    @abstractmethod
    def targets(self, rows: Sequence[AnyRow], labels: Sequence[str]) -> NDArray[Any]:
        """What is right for all items of these rows, which have labels, as the model takes it."""

    @abstractmethod
    def predictions(self, rows: Sequence[AnyRow], labels: Sequence[str], outputs: Outputs) -> list[Prediction]:
        """Answers to these rows from the outputs of all their items."""

    def size(self, row: AnyRow) -> int:
        """How many items a row has."""
        return 1

    def learn(self, task: Task, rows: Sequence[AnyRow], labels: Sequence[str], seed: int) -> Learnt:
        """Choose the strength by the task's main metric on held-out rows, of equal ones the strongest; then learn all
        rows with it."""
        began = time.perf_counter()
        self._task, self._labels = task, tuple(labels)
        found, targets = self._hashed(rows), self.targets(rows, labels)
        first_r = np.concatenate([[0], np.cumsum([self.size(row) for row in rows])])
        halves = held_out(len(rows), seed, self.most_learnt)
        strength, notes = USUAL, []
        if halves is None:
            notes.append(f"too few training rows to choose λ on some of them: it is {USUAL:g}")
        else:
            learnt, held = (_items(first_r, places) for places in halves)
            if len(learnt) and len(held):
                strength, notes = self._choose([rows[place] for place in halves[1]], found, targets, learnt, held)
        self._columns = Columns(found, self.fewest)
        self._model = self.model(labels)
        table = self._columns.of(found)
        self._model.fit(table, targets, strength)
        if not self._model.has_settled:
            notes.append("the last fit was stopped before its end, after as many steps as it may take")
        loss = self._model.loss(table, targets)
        return Learnt(self._model.parameters, loss, time.perf_counter() - began, tuple(notes))

    def answers(self, rows: Sequence[AnyRow]) -> list[Prediction]:
        """One for each row in order."""
        outputs = self._model.outputs(self._columns.of(self._hashed(rows)))
        return self.predictions(rows, self._labels, outputs)

    def _choose(
        self,
        rows: Sequence[AnyRow],
        found: Hashed,
        targets: NDArray[Any],
        learnt: NDArray[np.int64],
        held: NDArray[np.int64],
    ) -> tuple[float, list[str]]:
        """The best strength for `rows`, whose items are `held`; and it in words."""
        kind, metric = kind_of(self._task), self._task.metric
        columns, model = Columns(found[learnt], self.fewest), self.model(self._labels)
        table, of_held = columns.of(found[learnt]), columns.of(found[held])
        scores = {}
        for strength in self.strengths:
            model.fit(table, targets[learnt], strength)
            answers = self.predictions(rows, self._labels, model.outputs(of_held))
            scores[strength] = kind.score(self._task, rows, answers)[metric]
        best = max(scores, key=lambda strength: scores[strength])
        return best, [f"λ {best:g} is best on {len(rows)} held-out training rows ({metric} {scores[best]:.4f})"]

    def _hashed(self, rows: Sequence[AnyRow]) -> Hashed:
        return hashed(features for row in rows for features in self.features(row))


def _items(first_r: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of all items of these rows."""
    parts = [np.arange(first_r[row], first_r[row + 1]) for row in rows]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
