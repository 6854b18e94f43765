"""What bends a score without stopping a run: said in the log, and kept in the result's notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetuning.kinds.loading import kind_of
from finetuning.kinds.rows import SplitRows
from finetuning.run.loop import Trained
from finetuning.run.specification import RunSpec
from finetuning.tasks.task import Task

SEEN_SHARE = 0.1
"""Share of a dev split's rows that may stand in training too: short sentences do, in every benchmark."""
LARGE_RATE = 0.01
"""A peak of the learning rate above it is hardly meant: 3e-5 is usual, and 1e-3 already undoes the pretraining."""


def data_remarks(task: Task, splits: Mapping[str, SplitRows]) -> tuple[str, ...]:
    """Splits in which everything has one answer, and dev splits whose rows are those of training."""
    kind, notes = kind_of(task), []
    for name in dict.fromkeys(("train", *task.dev)):
        right = _answers(kind, splits[name])
        if len(right) == 1 and len(splits[name].rows) > 1:
            what = "nothing else can be learnt" if name == "train" else f"{task.metric} says little there"
            notes.append(f"every label of the {name} split is {right.pop()!r}, so {what}; look at its file")
    seen = {kind.read_of(row) for row in splits["train"].rows}
    for name in task.dev:
        rows = splits[name].rows
        known = sum(kind.read_of(row) in seen for row in rows)
        if known > SEEN_SHARE * len(rows):
            notes.append(
                f"{known} of {len(rows)} rows of the {name} split stand in the train split too, so its scores are "
                "partly of what was learnt by heart; take them out of one of the two"
            )
    return tuple(notes)


def training_remarks(spec: RunSpec, trained: Trained) -> tuple[str, ...]:
    """A learning rate that is hardly meant, and training that ended in no number."""
    notes = []
    if spec.learning_rate > LARGE_RATE:
        notes.append(f"the learning rate {spec.learning_rate:g} is very large for BERT, where 3e-5 is usual")
    if trained.diverged:
        notes.append(
            "training diverged: its loss is no finite number any more, so the answers and the scores are of no worth; "
            f"lower --learning-rate (it is {spec.learning_rate:g})"
        )
    return tuple(notes)


def _answers(kind: Any, split: SplitRows) -> set[Any]:
    """The different answers that are right somewhere in the split; none for a kind that has neither class nor label."""
    classes = {name for row in split.rows for name in kind.classes_in(row)}
    return classes or {getattr(row, "label", None) for row in split.rows} - {None}
