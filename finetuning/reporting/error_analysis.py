"""Where a fine-tuned model is wrong: the confusion matrix, and the errors that it was surest of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.kinds.squad import token_f1
from finetuning.reporting.gather import FinishedRun, predictions
from finetuning.tasks.readers.splits import read_split
from finetuning.tasks.rows import ChoiceRow, Row, SpanRow, TextRow, TokenRow
from finetuning.tasks.task import Task, load_task

WORST = 10


@dataclass(frozen=True, slots=True)
class WorstError:
    """One wrong answer. `badness` orders them within a task: probability of the wrong class, distance from the right
    number, 1 minus F1 of the answer, or the share of wrong tags."""

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
    errors = [error for answer in answers if (error := _error(task, answer, texts)) is not None]
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
    """Counts by right class and answer; words for token tasks. Classes in the task's order, then any others."""
    pairs: Counter[tuple[str, str]] = Counter()
    for answer in answers:
        if task.kind == "token":
            pairs.update(zip(map(str, answer["label"]), map(str, answer["prediction"]), strict=True))
        elif task.kind in ("classification", "choice"):
            pairs[str(answer["label"]), str(answer["prediction"])] += 1
    seen = {label for pair in pairs for label in pair}
    labels = (*(label for label in task.labels if label in seen), *sorted(seen - set(task.labels)))
    return labels, tuple(tuple(pairs[right, given] for given in labels) for right in labels)


def _error(task: Task, answer: Mapping[str, Any], texts: Mapping[str, str]) -> WorstError | None:
    label, given, scores = answer["label"], answer["prediction"], answer["scores"]
    if task.kind == "regression":
        badness = abs(float(label) - float(given))
        label, given = f"{float(label):.2f}", f"{float(given):.2f}"
    elif task.kind == "span":
        badness = 1.0 - max((token_f1(gold, given) for gold in label or [""]), default=0.0)
        label, given = " | ".join(label) or "(no answer)", given or "(no answer)"
    elif task.kind == "token":
        wrong = [place for place, (a, b) in enumerate(zip(label, given, strict=True)) if a != b]
        badness = len(wrong) / max(1, len(label))
        label, given = (" ".join(f"{place}:{tags[place]}" for place in wrong) for tags in (label, given))
    else:
        badness = 0.0 if label == given else float(scores[given])
    if badness == 0.0 or (task.kind == "regression" and label == given):
        return None
    identifier = str(answer["id"])
    return WorstError(identifier, texts.get(identifier, ""), str(label), str(given), badness)


def _texts(task: Task, split: str, run: FinishedRun) -> tuple[dict[str, str], str]:
    spec = run.result.spec
    if spec.data is None and task.home is None:
        return {}, "The data came from the hub; texts are shown for local files only."
    try:
        rows = read_split(task, split, spec.data, spec.limit_dev)
    except FinetuningError as error:
        return {}, f"The texts cannot be read any more: {error}"
    return {row.id: _text(row) for row in rows.rows} if rows is not None else {}, ""


def _text(row: Row) -> str:
    if isinstance(row, TextRow):
        return row.text_a if row.text_b is None else f"{row.text_a} ‖ {row.text_b}"
    if isinstance(row, SpanRow):
        return row.question
    if isinstance(row, TokenRow):
        return " ".join(row.words)
    assert isinstance(row, ChoiceRow)
    endings = " / ".join(f"{number}: {ending}" for number, ending in enumerate(row.endings))
    return f"{row.text_a} {row.text_b} … {endings}"
