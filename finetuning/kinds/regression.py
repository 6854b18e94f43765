"""A number for a text or a pair of texts: one output, squared error (Devlin et al. 2018, section 4.1: STS-B)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.batches import Batch
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.metrics.definitions import NUMBER_METRICS
from finetuning.kinds.metrics.resampling import WeightedScore
from finetuning.kinds.metrics.weighted import weighted_number_metric
from finetuning.kinds.protocol import HeadDropout
from finetuning.kinds.rows import TextRow
from finetuning.kinds.text_kind import TextKind, second_text
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from pretraining.model.bert import BertModel

_LARGEST = float(np.finfo(np.float32).max)
"""What is beyond it is infinite to the model."""
SAME_ANSWER = 1e-3
"""Of the range of the labels: 0.005 of STS-B's five points, while a run that learnt uses most of them."""


class Regression(TextKind[TextRow]):
    """A number for one or two texts. Logits: [i]; labels: [i] float32, NaN where there is none."""

    name = "regression"
    metrics = tuple(NUMBER_METRICS)

    def row(self, task: Task, record: Record, labelled: bool) -> TextRow:
        text_b = second_text(record)
        label = _number(task, record) if labelled else None
        return TextRow(record.id, record.place, record.text("text_a"), text_b, label)

    def targets(self, rows: Sequence[TextRow], labels: Sequence[str]) -> NDArray[np.float32]:
        return np.array([np.nan if row.label is None else row.label for row in rows], np.float32)

    def outputs(self, classes: int) -> int:
        return 1

    def logits(self, encoder: BertModel, dropout: HeadDropout, head: nn.Linear, batch: Batch) -> Tensor:
        return super().logits(encoder, dropout, head, batch).squeeze(-1)

    def loss_sum(self, logits: Tensor, batch: Batch) -> Tensor:
        return F.mse_loss(logits.float(), batch.labels, reduction="sum")

    def huggingface_settings(self, labels: Sequence[str]) -> dict[str, Any]:
        return {"id2label": {"0": "score"}, "label2id": {"score": 0}, "problem_type": "regression"}

    def decode(
        self,
        task: Task,
        labels: Sequence[str],
        rows: Sequence[TextRow],
        split: EncodedSplit,
        logits: NDArray[np.float32],
    ) -> list[Prediction]:
        return [
            Prediction(row.id, row.label, float(value), [float(value)]) for row, value in zip(rows, logits, strict=True)
        ]

    def score(self, task: Task, rows: Sequence[TextRow], predictions: Sequence[Prediction]) -> dict[str, float]:
        gold, predicted = [p.label for p in predictions], [p.prediction for p in predictions]
        names = dict.fromkeys((task.metric, *task.metrics))
        return {name: NUMBER_METRICS[name](gold, predicted) for name in names}

    def constant(self, task: Task, train: Sequence[TextRow], dev: Sequence[TextRow]) -> list[Prediction]:
        mean = float(np.mean([float(row.label) for row in train if row.label is not None]))
        return [Prediction(row.id, row.label, mean, None) for row in dev]

    def constants(self, task: Task, dev: Sequence[TextRow]) -> Iterable[list[Prediction]]:
        """The mean of `dev`; the correlation of any constant is 0."""
        return [self.constant(task, dev, dev)]

    def is_constant(self, task: Task, rows: Sequence[TextRow], answers: Sequence[Prediction]) -> bool:
        """Whether all answers lie within a thousandth of the labels' range: a collapsed head still moves its last bits,
        and by them a correlation has any value."""
        given, right = [p.prediction for p in answers], [p.label for p in answers]
        return max(given) - min(given) <= SAME_ANSWER * (max(right) - min(right))

    def weighted_score(self, task: Task, answers: Sequence[Prediction]) -> WeightedScore | None:
        return weighted_number_metric(task.metric, [p.label for p in answers], [p.prediction for p in answers])

    def cell(self, task: Task, prediction: Any) -> str:
        """Clipped to the task's range, with three decimals."""
        low, high = _bounds(task)
        return f"{min(max(prediction, low), high):.3f}"

    def is_answer(self, task: Task, cell: str) -> bool:
        try:
            number = float(cell)
        except ValueError:
            return False
        low, high = _bounds(task)
        return low <= number <= high

    def allowed(self, task: Task) -> str:
        low, high = _bounds(task)
        return f"a number from {low:g} to {high:g}"

    def error(self, answer: Mapping[str, Any]) -> tuple[float, str, str] | None:
        """The distance from the right number; None where both are the same to two decimals."""
        badness = abs(float(answer["label"]) - float(answer["prediction"]))
        label, given = f"{float(answer['label']):.2f}", f"{float(answer['prediction']):.2f}"
        return None if label == given else (badness, label, given)


def _number(task: Task, record: Record) -> float:
    value = record.get("label")
    try:
        # Python would read "1_5" as 15, and true as 1.
        number = math.nan if isinstance(value, bool) or "_" in str(value) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= _LARGEST:
        raise FinetuningError(f"{record.place}: label {value!r:.60} is not a finite number, as regression needs")
    low, high = _bounds(task)
    if not low <= number <= high:
        raise FinetuningError(
            f"{record.place}: label {number:g} is outside {low:g} to {high:g}, the task's score_range; correct either"
        )
    return number


def _bounds(task: Task) -> tuple[float, float]:
    return task.score_range or (-math.inf, math.inf)


KIND = Regression()
