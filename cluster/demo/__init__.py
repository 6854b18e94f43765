"""`make demo`: the whole road on one machine, from a sample of raw text to a report.

`road.py`, to open first, says what the stages are, `chain.py` runs them in turn; `sample_corpus.py` makes the
text, `task.py` the fine-tuning task, `report.py` the page.
"""

__all__ = ["sample_corpus"]
