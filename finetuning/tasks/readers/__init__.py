"""One reader for each layout: tables (TSV, CSV), JSON lines, Parquet, CoNLL, SQuAD, SWAG, the hub.

In: a path and the task's columns. Out: (place, values) pairs, streamed. `splits.find_split` chooses the reader of a
task's split, `plain.find_new` that of a file with new text. Open first: `splits.py`.
"""

__all__ = ["lines", "plain", "splits"]
