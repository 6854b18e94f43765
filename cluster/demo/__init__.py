"""`make demo`: the whole road on one machine, from a sample of raw text to a report.

`road.py`, to open first, says what the stages are; `sample_corpus.py` makes the text, `task.py` the fine-tuning task,
`gaps.py` sentences with a gap that is filled, `report.py` the page.
"""

__all__ = ["sample_corpus"]
