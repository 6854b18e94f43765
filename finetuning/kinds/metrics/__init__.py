"""Scores by the official definitions, of answers that stand beside what is right.

In: two sequences of classes, numbers or tags; for SQuAD also logits, float32 [t, 2], whose best spans are searched.
Out: floats, fractions in [0, 1] where a definition says nothing else. `weighted.py` has the same metrics for rows with
weights, which `resampling.py` draws. Open first: `definitions.py`.
"""

__all__ = ["definitions", "entities", "resampling", "squad", "weighted"]
