"""The Beam graphs of the passes before a build: `near_duplicates`, `contamination`, and `word_counts` for a vocabulary.

In: a job, whose splits lie in a file. Out: files, and through the runner the numbers of what is done. The steps
themselves are functions of `preprocessing/documents/`. Open first: `contamination.py`, which is the shorter one.
"""

__all__ = ["contamination", "near_duplicates", "word_counts"]
