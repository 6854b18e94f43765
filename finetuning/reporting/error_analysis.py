"""Where a fine-tuned model is wrong: the confusion matrix, and the errors that it was surest of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import kind_of, load_task, read_split
from finetuning.reporting.gather import FinishedRun, predictions
from finetuning.run.identity.inputs import data_folder
from finetuning.tasks.readers.splits import find_file
from finetuning.tasks.task import Task

WORST = 10


@dataclass(frozen=True, slots=True)
class WorstError:
    """One wrong answer. `badness` orders them within a task; what it measures, the task's kind says (`Kind.error`)."""

    id: str
    text: str
    label: str
    prediction: str
    badness: float


@dataclass(frozen=True, slots=True)
class ErrorAnalysis:
    """`confusion[i][j]`: rows of class `labels[i]` answered as `labels[j]`; empty for tasks without classes."""

    task: str
    split: str
    folder: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    worst: tuple[WorstError, ...]
    wrong: int
    rows: int
    note: str


def analyse(run: FinishedRun, count: int = WORST) -> ErrorAnalysis:
    """The errors of a run on its task's main dev split.

    The texts are read again from local files where they still lie; otherwise the ids alone are given, and a note.
    """
    task = load_task(run.result.spec.task)
    split = task.dev[0]
    answers = predictions(run, split)
    texts, note = _texts(task, split, run)
    labels, confusion = confusion_matrix(task, answers)
    # One answer for each row, in their order: ids need not tell rows apart, unless the file has changed since.
    by_id = dict(texts)
    by_place = [text for _, text in texts] if len(texts) == len(answers) else None
    errors = []
    for place, answer in enumerate(answers):
        text = by_id.get(str(answer["id"]), "") if by_place is None else by_place[place]
        if (error := _error(task, answer, text)) is not None:
            errors.append(error)
    errors.sort(key=lambda error: (-error.badness, error.id))
    return ErrorAnalysis(
        task=task.name,
        split=split,
        folder=str(run.folder),
        labels=labels,
        confusion=confusion,
        worst=tuple(errors[:count]),
        wrong=len(errors),
        rows=len(answers),
        note=note,
    )


def confusion_matrix(
    task: Task, answers: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Counts by right class and answer. Classes in the task's order, then any others."""
    pairs: Counter[tuple[str, str]] = Counter()
    for answer in answers:
        pairs.update(kind_of(task).confusions(answer))
    seen = {label for pair in pairs for label in pair}
    labels = (*(label for label in task.labels if label in seen), *sorted(seen - set(task.labels)))
    return labels, tuple(tuple(pairs[right, given] for given in labels) for right in labels)


def _error(task: Task, answer: Mapping[str, Any], text: str) -> WorstError | None:
    error = kind_of(task).error(answer)
    if error is None:
        return None
    badness, label, given = error
    return WorstError(str(answer["id"]), text, label, given, badness)


def _texts(task: Task, split: str, run: FinishedRun) -> tuple[list[tuple[str, str]], str]:
    """Id and text of each row, in order; and a note where there are none."""
    spec = run.result.spec
    if spec.skip_malformed:
        task = task.model_copy(update={"malformed": "skip"})
    if spec.data is None and task.home is None:
        return [], "The data came from the hub; texts are shown for local files only."
    file = find_file(task, task.splits[split], data_folder(task, spec) or Path())
    noted = None if run.result.inputs is None else run.result.inputs.data.get(split)
    try:
        if noted is not None and file is not None and not noted.is_same(file):
            return [], f"The texts are not shown: {file} has changed since the run."
        rows = read_split(task, split, spec.data, spec.limit_dev)
    except (FinetuningError, OSError) as error:
        return [], f"The texts cannot be read any more: {error}"
    return [(row.id, row.shown) for row in rows.rows] if rows is not None else [], ""
