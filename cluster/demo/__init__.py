"""`make demo`: the whole road on one machine, from a sample of raw text to a report.

`road.py`, to open first, is the chain of stages; `sample_corpus.py` its text, `task.py` its fine-tuning task,
`report.py` its page.
"""

__all__ = ["sample_corpus"]
