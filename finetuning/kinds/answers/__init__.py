"""Logits → answers, and the files that hold them.

In: float32 logits of a whole split, and its rows. Out: a `predictions.Prediction` for each row, in files of our own
(`predictions.py`) and in those of the benchmarks (`benchmark_files.py`). Most kinds decode in a line of their own;
`span_search.py` finds the best spans of a context over its windows. Open first: `predictions.py`.
"""

__all__ = ["benchmark_files", "predictions", "span_search"]
