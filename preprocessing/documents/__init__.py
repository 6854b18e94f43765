"""Raw documents → documents: cleaned, cut into sentences, and without those that are to be left out.

In: a split. Out: `Document`s (source, file, locator, title, sentences), each drop counted by its reason. The order of
the steps is in `reading.py`, to open first: drop lists, `text_checks` (which only counts), `cleaning`, `sentences`,
`decontamination`. Documents that were parsed before are read as they lie (`parsed_documents.py`), and keep their
options (`parsed_options.py`). The pass that finds `near_duplicates` ends in a drop list; `contamination` lists what
`decontamination` is about. Exact duplicates go later, in `build/exact_duplicates.py`, where equal documents meet. How
much of an input may be bad is in `bad_share.py`.
"""

__all__ = [
    "bad_share",
    "cleaning",
    "contamination",
    "decontamination",
    "document",
    "drop_lists",
    "identity",
    "near_duplicates",
    "options",
    "parsed_documents",
    "parsed_options",
    "reading",
    "sentences",
    "text_checks",
    "word_ngrams",
]
