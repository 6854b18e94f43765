"""`make reproduce-mini`: a BERT-Mini from a folder of books and a dump, and what it is worth on small tasks.

`road.py`, to open first, says what the stages are; `tasks.py` which tasks a folder of data holds; `small-sets.toml` is
the sweep; `results.py` puts the figures side by side.
"""

__all__: list[str] = []
