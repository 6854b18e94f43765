"""Texts → token ids, a whole split at a time: flat arrays with offsets, nothing padded.

In: texts and a tokenizer. Out: a `layout.EncodedSplit`: input_ids_t [t] int32, offsets_s [s + 1] int64, and where
words or windows lie. `texts` (one text or two), `windows` (a question and a sliding window), `word_pieces` (words with
one label each, alone or in `documents`) build it from `pieces`; `truncation` counts what did not fit. Open first:
`layout.py`.
"""

__all__ = ["documents", "layout", "pieces", "ragged", "texts", "truncation", "windows", "word_pieces"]
