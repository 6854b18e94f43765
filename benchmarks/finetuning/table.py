"""Scores of two sides over seeds, side by side: means, their standard errors, and how far they are apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.finetuning.plan import Plan
from benchmarks.finetuning.runs import SIDES, Side

Outcomes = Mapping[Side, Sequence[Mapping[str, Any]]]
"""What the runs of each side left."""
_HEADS = (
    *("task", "rows × epochs", "constant", "ours", "Trainer", "difference / its s.e."),
    *("s ours", "s Trainer", "ratio", "ratio, processor s"),
)


def standard_error(scores: Sequence[float]) -> float:
    """Of the mean: the standard deviation over seeds divided by √n; NaN for fewer than two."""
    return statistics.stdev(scores) / math.sqrt(len(scores)) if len(scores) > 1 else math.nan


def standard_errors(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Difference of the means in units of its standard error (Welch); None where that error is 0 or unknown.

    Equal scores without any spread differ by 0.
    """
    if min(len(first), len(second)) < 2:
        return None
    difference = statistics.mean(first) - statistics.mean(second)
    error = math.hypot(standard_error(first), standard_error(second))
    if error == 0:
        return 0.0 if difference == 0 else None
    return difference / error


def summary(outcomes: Outcomes, plan: Plan) -> dict[str, Any]:
    """The figures of one comparison, as the table and the JSON have them."""
    scores = {side: [one["score"] for one in outcomes[side]] for side in SIDES}
    seconds = {side: _median(outcomes[side], "seconds") for side in SIDES}
    processor_seconds = {side: _median(outcomes[side], "processor_seconds") for side in SIDES}
    return {
        "train_rows": plan.train_rows,
        "dev_rows": plan.dev_rows,
        "epochs": plan.epochs,
        "constant_answer": plan.constant,
        "scores": scores,
        "mean": {side: statistics.mean(scores[side]) for side in SIDES},
        "standard_error": {side: None if len(scores[side]) < 2 else standard_error(scores[side]) for side in SIDES},
        "difference_in_standard_errors": standard_errors(*(scores[side] for side in SIDES)),
        "seconds": seconds,
        "ratio_of_seconds": seconds["ours"] / seconds["transformers"],
        "processor_seconds": processor_seconds,
        "ratio_of_processor_seconds": processor_seconds["ours"] / processor_seconds["transformers"],
    }


def _median(outcomes: Sequence[Mapping[str, Any]], key: str) -> float:
    return statistics.median(one[key] for one in outcomes)


def table(summaries: Mapping[str, Mapping[str, Any]]) -> str:
    """The summaries as Markdown, a line each; ± is the standard error of the mean over seeds."""
    lines = [_line(_HEADS), _line("---" for _ in _HEADS)]
    for name, found in summaries.items():
        apart = found["difference_in_standard_errors"]
        means = (
            f"{found['mean'][side]:.3f}"
            + (f" ± {error:.3f}" if (error := found["standard_error"][side]) is not None else "")
            for side in SIDES
        )
        cells = (
            name,
            f"{found['train_rows']:,} × {found['epochs']:g}",
            f"{found['constant_answer']:.3f}",
            *means,
            "unknown" if apart is None else f"{apart:+.1f}",
            *(f"{found['seconds'][side]:.1f}" for side in SIDES),
            f"{found['ratio_of_seconds']:.2f}",
            f"{found['ratio_of_processor_seconds']:.2f}",
        )
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"
