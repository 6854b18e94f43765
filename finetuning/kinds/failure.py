"""Whether a run has learnt anything: decided here, and nowhere else.

A run failed where its loss stopped being finite, where it answers every row alike, or where it is not above the best
answer that does so. The best for its own dev split and metric: a model that collapsed to one class must not pass
because that class is commoner in dev than in training (QNLI: accuracy 0.505), or because the metric rewards it (MRPC:
F1 0.81 for "always 1").
"""

from __future__ import annotations

from typing import Literal

Failure = Literal["diverged", "constant", "not above the best constant"]
"""`diverged`: the loss stopped being finite; `constant`: every row got the same answer; else the score says it."""


def failure_of(score: float, best_constant: float, *, is_constant: bool, diverged: bool) -> Failure | None:
    """Why a run with this score failed; None where it did not. Higher scores are better."""
    if diverged:
        return "diverged"
    if is_constant:
        return "constant"
    # Not `<=`: a score that is no number is above nothing.
    return None if score > best_constant else "not above the best constant"
