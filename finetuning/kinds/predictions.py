"""From logits to answers, and from answers to scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetuning.atomic_file import replacing
from finetuning.kinds import metrics, squad
from finetuning.kinds.encoding import EncodedSplit
from finetuning.tasks.rows import ChoiceRow, Row, SpanRow, TextRow, TokenRow
from finetuning.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one row: a class, number, choice, text, or list of tags."""

    id: str
    label: Any
    """What is right: as `prediction`, the list of gold texts for a span, None where the split has no labels."""
    prediction: Any
    scores: Any
    """Probabilities by class or choice; texts with probabilities (span); probability of each tag (token)."""
    null_odds: float | None = None
    """Span tasks: score of no answer minus score of the best span."""
    best_span: str | None = None


def decode(
    task: Task, labels: Sequence[str], rows: Sequence[Row], split: EncodedSplit, logits: NDArray[np.float32]
) -> list[Prediction]:
    """Answers from logits, one for each row in order. Logits as `TaskModel` gives them, for the whole split.

    Logits that are not finite count as 0: a model that diverged answers like a constant, and is scored so.
    """
    logits = np.nan_to_num(logits.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if task.kind == "token":
        return _decode_tags(labels, [row for row in rows if isinstance(row, TokenRow)], split, logits)
    if task.kind == "span":
        spans = [row for row in rows if isinstance(row, SpanRow)]
        return [
            Prediction(
                row.id,
                [text for text, _ in row.answers],
                answer.text,
                {text: round(probability, 6) for text, probability in answer.n_best},
                round(answer.null_odds, 6),
                answer.best_span,
            )
            for row, answer in zip(spans, squad.answers(task, spans, split, logits), strict=True)
        ]
    if task.kind == "regression":
        return [
            Prediction(row.id, row.label, float(value), [float(value)])
            for row, value in zip(rows, logits, strict=True)
            if isinstance(row, TextRow)
        ]
    probabilities = _softmax(logits)
    result = []
    for row, best, share in zip(rows, logits.argmax(1).tolist(), probabilities, strict=True):
        if isinstance(row, ChoiceRow):
            result.append(Prediction(row.id, row.label, best, [round(float(p), 6) for p in share]))
        elif isinstance(row, TextRow):
            scores = {label: round(float(p), 6) for label, p in zip(labels, share, strict=True)}
            result.append(Prediction(row.id, row.label, labels[best], scores))
    return result


def score(task: Task, rows: Sequence[Row], predictions: Sequence[Prediction]) -> dict[str, float]:
    """The task's main metric and its further ones over a labelled split."""
    names = (task.metric, *task.metrics)
    gold, predicted = [p.label for p in predictions], [p.prediction for p in predictions]
    if task.kind == "token":
        values = metrics.entity_scores(gold, predicted)
    elif task.kind == "span":
        return _score_spans(task, [row for row in rows if isinstance(row, SpanRow)], predictions)
    elif task.kind == "regression":
        values = {name: metrics.NUMBER_METRICS[name](gold, predicted) for name in names}
    elif task.kind == "choice":
        values = {"accuracy": metrics.accuracy(gold, predicted)}
    else:
        positive = task.positive_label or task.labels[-1]
        values = {name: metrics.CLASS_METRICS[name](gold, predicted, positive) for name in names}
    return {name: values[name] for name in dict.fromkeys(names)}


def majority_score(task: Task, train: Sequence[Row], dev: Sequence[Row]) -> float:
    """The main metric of the constant answer that is commonest in training: class, choice, tag, or no answer."""
    labels: list[Any] = []
    for row in train:
        labels.extend(
            (row.tags or ()) if isinstance(row, TokenRow) else () if isinstance(row, SpanRow) else [row.label]
        )
    answer: Any = ""
    if task.kind == "regression":
        answer = float(np.mean(labels))
    elif labels:
        counts = Counter(labels)
        answer = min(counts, key=lambda label: (-counts[label], str(label)))
    constant = []
    for row in dev:
        if isinstance(row, TokenRow):
            constant.append(Prediction(row.id, list(row.tags or ()), [answer] * len(row.words), None))
        elif isinstance(row, SpanRow):
            constant.append(Prediction(row.id, [text for text, _ in row.answers], "", None, squad.NEVER, ""))
        else:
            constant.append(Prediction(row.id, row.label, answer, None))
    return score(task, dev, constant)[task.metric]


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> Path:
    """Write one JSON object per row: id, label, prediction, scores (and null_odds), renamed when complete."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for item in predictions:
            record = {"id": item.id, "label": item.label, "prediction": item.prediction, "scores": item.scores}
            if item.null_odds is not None:
                record["null_odds"] = item.null_odds
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def _decode_tags(
    labels: Sequence[str], rows: Sequence[TokenRow], split: EncodedSplit, logits_wc: NDArray[np.float32]
) -> list[Prediction]:
    assert split.words is not None
    # A word without pieces gets no logits; it is outside every entity.
    outside = "O" if "O" in labels else labels[0]
    tags = [[outside] * len(row.words) for row in rows]
    shares = [[0.0] * len(row.words) for row in rows]
    row_w = np.repeat(split.row_i, np.diff(split.words.offsets_s))
    probabilities = _softmax(logits_wc)
    best_w = logits_wc.argmax(1)
    top_w = probabilities[np.arange(len(best_w)), best_w]
    for row, word, best, top in zip(
        row_w.tolist(), split.words.word_w.tolist(), best_w.tolist(), top_w.tolist(), strict=True
    ):
        tags[row][word] = labels[best]
        shares[row][word] = round(top, 4)
    return [
        Prediction(row.id, None if row.tags is None else list(row.tags), predicted, share)
        for row, predicted, share in zip(rows, tags, shares, strict=True)
    ]


def _score_spans(task: Task, rows: Sequence[SpanRow], predictions: Sequence[Prediction]) -> dict[str, float]:
    means, _ = squad.score_answers(rows, {item.id: item.prediction for item in predictions})
    if task.unanswerable:
        _, each = squad.score_answers(rows, {item.id: item.best_span or "" for item in predictions})
        for which, name in enumerate(("best_exact_match", "best_f1")):
            odds = {item.id: item.null_odds or 0.0 for item in predictions}
            spans = {item.id: item.best_span or "" for item in predictions}
            means[name], _ = squad.best_threshold(rows, each, spans, odds, which)
    return means


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)
