"""One's own texts: Markdown, HTML, plain text and EPUB, each by its suffix → one document a file.

In: one file. Out: its running text; what stands beside it (code, tables, navigation, notes) is counted by kind. Open
first: `reader.py`.
"""

__all__ = ["reader", "suffixes"]
