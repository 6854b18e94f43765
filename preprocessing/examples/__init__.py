"""Pieces → masked examples: segments A and B, their label, the hidden tokens.

In: a `Corpus`, and which of its documents to use. Out: `arrays.BuiltExamples`: ragged examples as flat arrays, and
their statistics. Open first: `default_recipe.py`; `pairs.py` chooses the segments, `static_masking.py` what is hidden
(the draws that it shares with masks that change with each pass are `mask_draws.py`; `word_counts.py` counts the words
for it), and `philox.py` gives both their random numbers, keyed by seed, document and place. `reference_recipe.py` is
the published code's way, quirks included.
"""

__all__ = ["arrays", "default_recipe", "mask_draws", "options", "philox", "reference_examples", "statistics"]
