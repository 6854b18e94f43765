"""The answers to the rows of a split, and their file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetuning.atomic_file import replacing


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to one row, in a form that JSON holds: a class, number, choice, text, or list of tags."""

    id: str
    label: Any
    """What is right: as `prediction`, the list of gold texts for a span, None where the split has no labels."""
    prediction: Any
    scores: Any
    """Probabilities by class or choice; texts with probabilities (span); probability of each tag (token)."""
    null_odds: float | None = None
    """Span tasks: score of no answer minus score of the best span."""
    best_span: str | None = None
    lost_tokens: int = 0
    """Tokens of the row that did not fit, and that the model has not seen."""


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> Path:
    """Write one JSON object per row, see `line_of`; renamed when complete."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(map(line_of, predictions))
    return path


def line_of(item: Prediction) -> str:
    """An answer as a line of JSON: id, label, prediction, scores (null_odds, lost_tokens)."""
    record = {"id": item.id, "label": item.label, "prediction": item.prediction, "scores": item.scores}
    if item.null_odds is not None:
        record["null_odds"] = item.null_odds
    if item.lost_tokens:
        record["lost_tokens"] = item.lost_tokens
    return json.dumps(record, ensure_ascii=False) + "\n"


def answers_at(threshold: float, spans: Mapping[str, str], null_odds: Mapping[str, float]) -> dict[str, str]:
    """The answers with a null threshold: the best span, or the empty text where the odds are above it."""
    return {name: "" if null_odds[name] > threshold else span for name, span in spans.items()}


def read_prediction(record: Mapping[str, Any]) -> Prediction:
    """What one line of a prediction file says; the best span is the first of `scores` that is not empty."""
    odds, scores = record.get("null_odds"), record["scores"]
    best_span = None if odds is None else next(filter(None, scores), "")
    lost = record.get("lost_tokens", 0)
    return Prediction(record["id"], record["label"], record["prediction"], scores, odds, best_span, lost)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities over the last axis."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def commonest(counts: Counter[Any]) -> Any:
    """What was counted most often, of equal ones the first by name; an empty text where nothing was counted."""
    return min(counts, key=lambda label: (-counts[label], str(label)), default="")


def label_settings(labels: Sequence[str]) -> dict[str, Any]:
    """How `config.json` of a Hugging Face model names its classes."""
    return {
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }
