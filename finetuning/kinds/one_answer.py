"""What the kinds have in common in which one of several answers is right: a class, or a choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from finetuning.kinds.answers.predictions import Prediction, commonest
from finetuning.kinds.protocol import Kind
from finetuning.kinds.rows import Row
from finetuning.tasks.task import Task


class Answered(Row, Protocol):
    """A row with one right answer."""

    @property
    def label(self) -> Any:
        """None where the split has no labels."""


AnyAnswered = TypeVar("AnyAnswered", bound=Answered)


class OneAnswer(Kind[AnyAnswered]):
    """One of several answers, each with its probability in a prediction's `scores`."""

    def constant(self, task: Task, train: Sequence[AnyAnswered], dev: Sequence[AnyAnswered]) -> list[Prediction]:
        """The commonest answer of `train`."""
        answer = commonest(Counter(row.label for row in train))
        return [Prediction(row.id, row.label, answer, None) for row in dev]

    def constants(self, task: Task, dev: Sequence[AnyAnswered]) -> Iterable[list[Prediction]]:
        """The commonest answer of `dev`: the best by accuracy, and by the mean of the classes' F1."""
        answer = commonest(Counter(row.label for row in dev))
        yield [Prediction(row.id, row.label, answer, None) for row in dev]

    def confusions(self, answer: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        return [(str(answer["label"]), str(answer["prediction"]))]

    def error(self, answer: Mapping[str, Any]) -> tuple[float, str, str] | None:
        """The probability of the wrong answer."""
        if answer["label"] == answer["prediction"]:
            return None
        badness = float(answer["scores"][answer["prediction"]])
        return (badness, str(answer["label"]), str(answer["prediction"])) if badness else None
