"""One class for a text or a pair of texts: cross-entropy over the classes (Devlin et al. 2018, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, label_settings, softmax
from finetuning.kinds.batches import Batch
from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.metrics.definitions import CLASS_METRICS
from finetuning.kinds.metrics.resampling import WeightedScore
from finetuning.kinds.metrics.weighted import weighted_class_metric
from finetuning.kinds.one_answer import OneAnswer
from finetuning.kinds.rows import TextRow
from finetuning.kinds.text_kind import TextKind, second_text
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task


class Classification(OneAnswer[TextRow], TextKind[TextRow]):
    """A class for one or two texts. Logits: [i, c]; labels: [i] int64."""

    name = "classification"
    class_role = "label"
    metrics = tuple(CLASS_METRICS)

    def check(self, task: Task) -> None:
        if len(task.labels) < 2:
            raise ValueError("labels: a classification task names at least two")

    def row(self, task: Task, record: Record, labelled: bool) -> TextRow:
        text_b = second_text(record)
        label = _label(record.get("label")) if labelled else None
        if label is not None and label not in task.labels:
            known = ", ".join(map(repr, task.labels))
            if not label:
                raise FinetuningError(f"{record.place}: label is empty; write one of {known}")
            number = label.isdecimal() and label.isascii() and len(label) < 9 and int(label) < len(task.labels)
            hint = ', or set labels = ["0", "1", …] in the task if the file has class numbers' if number else ""
            if meant := next((known for known in task.labels if _bare(known) == _bare(label)), None):
                hint = f"; write it exactly as {meant!r}"
            raise FinetuningError(f"{record.place}: label {label!r} is unknown; {task.name} knows {known}{hint}")
        return TextRow(record.id, record.place, record.text("text_a"), text_b, label)

    def classes_in(self, row: TextRow) -> Sequence[str]:
        return () if row.label is None else (str(row.label),)

    def classes(self, task: Task, splits: Mapping[str, Sequence[TextRow]]) -> tuple[str, ...]:
        return task.labels

    def targets(self, rows: Sequence[TextRow], labels: Sequence[str]) -> NDArray[np.int64]:
        number = {label: index for index, label in enumerate(labels)}
        return np.array([UNLABELLED if row.label is None else number[str(row.label)] for row in rows], np.int64)

    def outputs(self, classes: int) -> int:
        return classes

    def loss_sum(self, logits: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(logits.float(), batch.labels, ignore_index=UNLABELLED, reduction="sum")

    def huggingface_settings(self, labels: Sequence[str]) -> dict[str, Any]:
        return {**label_settings(labels), "problem_type": "single_label_classification"}

    def decode(
        self,
        task: Task,
        labels: Sequence[str],
        rows: Sequence[TextRow],
        split: EncodedSplit,
        logits: NDArray[np.float32],
    ) -> list[Prediction]:
        result = []
        for row, best, share in zip(rows, logits.argmax(1).tolist(), softmax(logits), strict=True):
            scores = {label: round(float(p), 6) for label, p in zip(labels, share, strict=True)}
            result.append(Prediction(row.id, row.label, labels[best], scores))
        return result

    def score(self, task: Task, rows: Sequence[TextRow], predictions: Sequence[Prediction]) -> dict[str, float]:
        gold, predicted = [p.label for p in predictions], [p.prediction for p in predictions]
        positive = task.positive_label or task.labels[-1]
        names = dict.fromkeys((task.metric, *task.metrics))
        return {name: CLASS_METRICS[name](gold, predicted, positive) for name in names}

    def constants(self, task: Task, dev: Sequence[TextRow]) -> Iterable[list[Prediction]]:
        """The commonest class of `dev`, and the positive one, whose F1 no other answer has."""
        yield from super().constants(task, dev)
        positive = task.positive_label or task.labels[-1]
        yield [Prediction(row.id, row.label, positive, None) for row in dev]

    def weighted_score(self, task: Task, answers: Sequence[Prediction]) -> WeightedScore | None:
        gold, predicted = [p.label for p in answers], [p.prediction for p in answers]
        return weighted_class_metric(task.metric, gold, predicted, task.positive_label or task.labels[-1])


def _bare(label: str) -> str:
    """A label without what a reader overlooks: blanks, case, and the `.0` of a table that made numbers of classes."""
    return label.strip().casefold().removesuffix(".0")


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


KIND = Classification()
