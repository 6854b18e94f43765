"""Templates whose text belongs to the sentence around them: dates, numbers and units, wrappers.

In: a template's name and arguments as text. Out: what a reader of the page would see of it, or nothing: then its
characters are counted as lost. Open first: `expansion.py`, which finds a renderer; `expressions.py` says how a table
names one.
"""

__all__ = ["expansion", "expressions"]
