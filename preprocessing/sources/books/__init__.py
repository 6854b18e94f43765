"""Plain text and EPUB → books, or their chapters, as raw documents.

In: one file. Out: paragraphs without hard line breaks, without Project Gutenberg's own text. Open first: `reader.py`.
"""

__all__ = ["gutenberg_blocks", "reader"]
