"""From logits to answers and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.loading import kind_of
from finetuning.kinds.metrics.definitions import LOWER_IS_BETTER
from finetuning.kinds.protocol import Kind
from finetuning.kinds.rows import Row, SplitRows
from finetuning.tasks.task import Task


def check_metrics(task: Task) -> None:
    """Refuse a task whose metrics its kind does not know.

    Raises:
        FinetuningError: names the metric and those that the kind has.
    """
    known = kind_of(task).metrics
    for name in (task.metric, *task.metrics):
        if name not in known:
            raise FinetuningError(
                f"{task.name}: metric {name!r} is unknown for a {task.kind} task; it has {', '.join(known)}"
            )
    if task.metric in LOWER_IS_BETTER:
        raise FinetuningError(
            f"{task.name}: metric {task.metric!r} falls as the model gets better, so it cannot rank runs; "
            "make it one of metrics, and choose another main metric"
        )


def labels_of(task: Task, splits: Mapping[str, SplitRows]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes in the order of the logits, and notes on classes without training rows; none without classes.

    Raises:
        FinetuningError: a row has a class that the task does not name.
    """
    kind = kind_of(task)
    labels = kind.classes(task, {name: split.rows for name, split in splits.items()})
    seen = {label for row in splits["train"].rows for label in kind.classes_in(row)}
    notes = list(kind.remarks(task, labels))
    for name in task.dev:
        notes += _notes_on_others(kind, splits[name], seen, "but never in training: it can hardly be predicted")
    return labels, tuple(notes)


def notes_on_unknown(kind: Kind[Any], split: SplitRows, known: Collection[str]) -> tuple[str, ...]:
    """Notes on the classes of a split that a model does not know; none where it has no labels."""
    return tuple(_notes_on_others(kind, split, known, "but the model does not know it: it is never predicted"))


def _notes_on_others(kind: Kind[Any], split: SplitRows, known: Collection[str], why: str) -> list[str]:
    places = [(label, row.place) for row in split.rows for label in kind.classes_in(row) if label not in known]
    first = dict(reversed(places))
    return [
        f"label {label!r} occurs in the {split.name} split ({rows} times), {why}, and counts as wrong; first in "
        f"{first[label]}"
        for label, rows in sorted(Counter(label for label, _ in places).items())
    ]


def decode(
    task: Task, labels: Sequence[str], rows: Sequence[Row], split: EncodedSplit, logits: NDArray[np.float32]
) -> list[Prediction]:
    """Answers from logits, one for each row in order. Logits as `TaskModel` gives them, for the whole split.

    Logits that are not finite count as 0: a model that diverged answers like a constant, and is scored so.
    """
    finite = np.nan_to_num(logits.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return with_losses(kind_of(task).decode(task, labels, rows, split, finite), split)


def with_losses(answers: Sequence[Prediction], split: EncodedSplit) -> list[Prediction]:
    """The answers to all rows of a split, each with the tokens that its row lost."""
    lost = split.cut.lost_r.tolist()
    return [replace(item, lost_tokens=count) if count else item for item, count in zip(answers, lost, strict=True)]
