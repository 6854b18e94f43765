"""Formats that hold a text in every row or line: JSON lines, Parquet, Hugging Face data sets, Google's own layout.

In: a range of lines, row groups or a data set's shards. Out: a `RawDocument` for each record. Open first:
`jsonlines.py`; `record_text.py` turns the text of a record into paragraphs for all of them.
"""

__all__ = ["huggingface", "jsonlines", "parquet", "sentence_lines"]
