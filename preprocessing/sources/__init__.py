"""Where text lies → raw documents: files, splits, compression, encodings, and one reader for each format.

In: what the user named (paths, globs, folders, data sets). Out: `Split`s of about 64 MB (`planning.plan_splits`), and
from each of their pieces, streamed, `RawDocument`s: locator, title, paragraphs (`readers.reader_of`). Every record
that is read is counted; memory does not grow with a file. Open first: `readers.py`, then a format's folder.
"""

__all__ = [
    "books",
    "decompression",
    "download",
    "encodings",
    "html",
    "identity",
    "input_files",
    "options",
    "parsed_corpus",
    "patterns",
    "planning",
    "raw_document",
    "readers",
    "seeking",
    "split",
    "stored_stream",
    "text_files",
    "threads",
    "wikipedia",
]
