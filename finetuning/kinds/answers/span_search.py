"""Answers of a span task from the logits of windows: n-best spans, and no answer against the best of them.

Devlin et al. 2018, sections 4.2 and 4.3, and the released run_squad.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.metrics.squad import NEVER
from finetuning.kinds.rows import SpanRow
from finetuning.tasks.task import Task


@dataclass(frozen=True, slots=True)
class SpanAnswer:
    """What the model answers to one question."""

    text: str
    """The answer given; empty: none."""
    best_span: str
    """The best answer that is not empty."""
    null_odds: float
    """Score of no answer minus score of the best answer; `text` is empty where it is above the threshold."""
    n_best: tuple[tuple[str, float], ...]
    """Texts with their probabilities among these, best first."""


def span_answers(
    task: Task, rows: Sequence[SpanRow], split: EncodedSplit, logits_t2: NDArray[np.float32], threshold: float = 0.0
) -> list[SpanAnswer]:
    """The answer to each question from the logits of all its windows.

    A span's score is the sum of its start's and end's logits; candidates come from the `n_best` best starts and ends
    of each window, start where the window gives the piece its most context, and have at most `max_answer_length`
    pieces. No answer scores as [CLS] to [CLS] in the window where that is least.
    """
    assert split.context is not None
    windows: list[list[int]] = [[] for _ in rows]
    for sequence, row in enumerate(split.row_i):
        windows[row].append(sequence)
    return [
        _answer(task, rows[number], split, logits_t2, sequences, threshold) for number, sequences in enumerate(windows)
    ]


def _answer(
    task: Task,
    row: SpanRow,
    split: EncodedSplit,
    logits_t2: NDArray[np.float32],
    sequences: list[int],
    threshold: float,
) -> SpanAnswer:
    assert split.context is not None
    null = np.inf
    candidates: list[tuple[float, int, int]] = []
    for sequence in sequences:
        low, high = int(split.offsets_s[sequence]), int(split.offsets_s[sequence + 1])
        null = min(null, float(logits_t2[low].sum()))
        first, last = low + int(split.context.first_s[sequence]), high - 1
        if first >= last:
            continue
        starts, ends = _top(logits_t2[first:last, 0], task.n_best), _top(logits_t2[first:last, 1], task.n_best)
        start, end = np.repeat(starts, len(ends)), np.tile(ends, len(starts))
        valid = (end >= start) & (end - start < task.max_answer_length) & split.context.is_best_t[first + start]
        start, end = start[valid] + first, end[valid] + first
        scores = logits_t2[start, 0] + logits_t2[end, 1]
        begins, stops = split.context.chars_t2[start, 0], split.context.chars_t2[end, 1]
        candidates += zip(scores.tolist(), begins.tolist(), stops.tolist(), strict=True)
    candidates.sort(key=lambda candidate: (-candidate[0], candidate[1], candidate[2]))

    found: dict[str, float] = {}
    for score, begin, stop in candidates:
        if len(found) >= task.n_best:
            break
        text = row.context[begin:stop].strip()
        if text and text not in found:
            found[text] = score
    best_span = next(iter(found), "")
    null_odds = float(null - found[best_span]) if best_span else np.inf
    if task.unanswerable or not found:
        found[""] = float(null)
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    weights = np.exp(np.array([score for _, score in ranked]) - ranked[0][1])
    n_best = tuple((text, float(weight)) for (text, _), weight in zip(ranked, weights / weights.sum(), strict=True))
    empty = not best_span or (task.unanswerable and null_odds > threshold)
    return SpanAnswer("" if empty else best_span, best_span, min(null_odds, NEVER), n_best)


def _top(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of the highest scores, best first; equal scores by index."""
    return np.argsort(-scores, kind="stable")[:count]
