"""Any number of labels for a text or a pair of texts, also none: a yes or no for each label of a fixed set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, label_settings
from finetuning.kinds.batches import Batch
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.metrics.resampling import WeightedScore
from finetuning.kinds.metrics.weighted import weighted_f1, weighted_mean
from finetuning.kinds.text_kind import TextKind, second_text
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task

Labels = Sequence[str]


@dataclass(frozen=True, slots=True)
class LabelsRow:
    """One or two texts with their labels, in the order of the task's."""

    id: str
    place: str
    text_a: str
    text_b: str | None
    labels: tuple[str, ...] | None
    """None where the split has no labels."""

    @property
    def shown(self) -> str:
        return self.text_a if self.text_b is None else f"{self.text_a} ‖ {self.text_b}"


class MultiLabel(TextKind[LabelsRow]):
    """Labels of one or two texts. Logits: [i, c]; labels: [i, c] float32, 1 where a label is right, else 0."""

    name = "multi_label"
    required = frozenset({"text_a", "labels"})
    class_role = "labels"
    metrics = ("micro_f1", "macro_f1", "subset_accuracy")

    def check(self, task: Task) -> None:
        if len(task.labels) < 2:
            raise ValueError("labels: a multi_label task names at least two")
        if task.is_table and (broken := [label for label in task.labels if "," in label]):
            raise ValueError(
                f"labels: {broken[0]!r} has a comma, which separates the labels of a row in a TSV or CSV file"
            )

    def row(self, task: Task, record: Record, labelled: bool) -> LabelsRow:
        text_b = second_text(record)
        labels = _labels(task, record) if labelled else None
        return LabelsRow(record.id, record.place, record.text("text_a"), text_b, labels)

    def classes_in(self, row: LabelsRow) -> Sequence[str]:
        return row.labels or ()

    def classes(self, task: Task, splits: Mapping[str, Sequence[LabelsRow]]) -> tuple[str, ...]:
        return task.labels

    def targets(self, rows: Sequence[LabelsRow], labels: Sequence[str]) -> NDArray[np.float32]:
        return _indicators([row.labels or () for row in rows], labels).astype(np.float32)

    def outputs(self, classes: int) -> int:
        return classes

    def loss_sum(self, logits: Tensor, batch: Batch) -> Tensor:
        """Binary cross-entropy in nats, summed over rows and labels."""
        return F.binary_cross_entropy_with_logits(logits.float(), batch.labels, reduction="sum")

    def label_count(self, split: EncodedSplit, items: NDArray[np.int64]) -> int:
        """Rows × labels, as `transformers` takes the mean."""
        return len(items) * split.labels.shape[1]

    def huggingface_settings(self, labels: Sequence[str]) -> dict[str, Any]:
        return {**label_settings(labels), "problem_type": "multi_label_classification"}

    def decode(
        self,
        task: Task,
        labels: Sequence[str],
        rows: Sequence[LabelsRow],
        split: EncodedSplit,
        logits: NDArray[np.float32],
    ) -> list[Prediction]:
        """Each label whose probability is above 0.5."""
        shares = 1 / (1 + np.exp(-logits.astype(np.float64)))
        result = []
        for row, share in zip(rows, shares.tolist(), strict=True):
            given = [label for label, p in zip(labels, share, strict=True) if p > 0.5]
            scores = {label: round(p, 6) for label, p in zip(labels, share, strict=True)}
            result.append(Prediction(row.id, None if row.labels is None else list(row.labels), given, scores))
        return result

    def score(self, task: Task, rows: Sequence[LabelsRow], predictions: Sequence[Prediction]) -> dict[str, float]:
        gold = _indicators([item.label for item in predictions], task.labels)
        given = _indicators([item.prediction for item in predictions], task.labels)
        return {name: METRICS[name](gold, given) for name in dict.fromkeys((task.metric, *task.metrics))}

    def constant(self, task: Task, train: Sequence[LabelsRow], dev: Sequence[LabelsRow]) -> list[Prediction]:
        """The set of labels that scores best on `dev` itself by the main metric."""
        return max(self.constants(task, dev), key=lambda answers: self.score(task, dev, answers)[task.metric])

    def constants(self, task: Task, dev: Sequence[LabelsRow]) -> Iterable[list[Prediction]]:
        """Sets of labels of which one scores best on `dev`: no other constant can beat it.

        For micro F1 it is the k commonest labels for some k (of all sets of one size they have the most hits); for
        macro F1 it is all that occur (a label's own F1 does not depend on the others); for subset accuracy it is the
        commonest set.
        """
        counts = Counter(label for row in dev for label in row.labels or ())
        common = sorted(counts, key=lambda label: (-counts[label], task.labels.index(label)))
        hits = list(accumulate(counts[label] for label in common))
        # Twice the hits, by the decisions given and right.
        size = max(range(len(common)), key=lambda k: hits[k] / ((k + 1) * len(dev) + hits[-1]), default=-1) + 1
        whole = Counter(row.labels or () for row in dev).most_common(1)[0][0]
        for labels in dict.fromkeys((tuple(common[:size]), tuple(common), whole)):
            given = [label for label in task.labels if label in labels]
            yield [Prediction(row.id, list(row.labels or ()), given, None) for row in dev]

    def weighted_score(self, task: Task, answers: Sequence[Prediction]) -> WeightedScore | None:
        gold, given = (
            _indicators(rows, task.labels).astype(np.float64)
            for rows in ([p.label for p in answers], [p.prediction for p in answers])
        )
        if task.metric == "subset_accuracy":
            return weighted_mean((gold == given).all(1).astype(np.float64))
        return weighted_f1(gold, given, "micro" if task.metric == "micro_f1" else "all classes")

    def cell(self, task: Task, prediction: Any) -> str:
        return ",".join(prediction)

    def is_answer(self, task: Task, cell: str) -> bool:
        return set(_split(cell)) <= set(task.labels)

    def allowed(self, task: Task) -> str:
        return f"any of {', '.join(task.labels)}, separated by commas"

    def error(self, answer: Mapping[str, Any]) -> tuple[float, str, str] | None:
        """The share of labels on one side only, among those on either."""
        label, given = answer["label"], answer["prediction"]
        if set(label) == set(given):
            return None
        badness = len(set(label) ^ set(given)) / len(set(label) | set(given))
        return badness, ", ".join(label) or "(none)", ", ".join(given) or "(none)"


def micro_f1(gold: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    """F1 over all decisions of all labels, [i, c] each; 0 where no label is right or given."""
    return _f1(gold, given, "micro")


def macro_f1(gold: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    """Unweighted mean of the labels' own F1, 0 for one that is neither right nor given anywhere."""
    return _f1(gold, given, "macro")


def subset_accuracy(gold: NDArray[np.bool_], given: NDArray[np.bool_]) -> float:
    """Share of rows whose labels are all right."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(gold, given))


METRICS: dict[str, Callable[[NDArray[np.bool_], NDArray[np.bool_]], float]] = {
    "micro_f1": micro_f1,
    "macro_f1": macro_f1,
    "subset_accuracy": subset_accuracy,
}


def _f1(gold: NDArray[np.bool_], given: NDArray[np.bool_], average: str) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(gold, given, average=average, zero_division=0))


def _indicators(rows: Sequence[Labels], labels: Labels) -> NDArray[np.bool_]:
    """[i, c] whether a row has a label."""
    return np.array([[label in row for label in labels] for row in rows], bool).reshape(len(rows), len(labels))


def _labels(task: Task, record: Record) -> tuple[str, ...]:
    """A list of texts, or in a table one text with commas; an empty one has no labels."""
    given = _split(record.text("labels")) if task.is_table else record.texts("labels")
    for place, label in enumerate(given):
        if label not in task.labels:
            raise FinetuningError(
                f"{record.place}: label {label!r} is unknown; {task.name} knows {', '.join(map(repr, task.labels))}"
            )
        if label in given[:place]:
            raise FinetuningError(f"{record.place}: label {label!r} stands there twice; write it once")
    return tuple(label for label in task.labels if label in given)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text.strip() else ()


KIND = MultiLabel()
