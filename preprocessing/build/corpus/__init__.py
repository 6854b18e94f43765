"""Documents parsed once and kept: the Beam graph of `preprocessing/corpus.py`, and its folder.

In: splits of raw inputs. Out: a file of documents and one of counters for each, and `corpus.json`, written last.
`graph.py`, to open first, parses; `folder.py` starts and finishes the folder. Who reads a corpus needs neither: to
others it is an input (`sources/parsed_corpus.py`, `documents/parsed_documents.py`).
"""

__all__ = ["folder", "graph"]
