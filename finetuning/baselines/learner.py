"""What every baseline must know: to learn a task's rows, and to answer others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from finetuning.kinds.answers.predictions import Prediction
from finetuning.tasks.task import Task


@dataclass(frozen=True)
class Learnt:
    """What learning came to."""

    parameters: int
    """Weights and intercepts; 0 where nothing is learnt."""
    train_loss: float
    """Mean loss over the training rows, as fine-tuning of the kind has it; 0 where nothing is learnt."""
    seconds: float
    """The choice of the strength and the last fit."""
    notes: tuple[str, ...] = ()


class Learner(Protocol):
    """A baseline of one task. `learn` comes before `answers`."""

    description: ClassVar[str]
    """Features and model in words."""

    def learn(self, task: Task, rows: Sequence[Any], labels: Sequence[str], seed: int) -> Learnt:
        """From the training rows; `labels`: the classes of `kinds.scoring.labels_of`."""

    def answers(self, rows: Sequence[Any]) -> list[Prediction]:
        """One for each row in order."""
