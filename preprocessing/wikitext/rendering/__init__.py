"""Wikitext → lines of text: one pass over the tokens with an explicit stack of open templates.

In: a page without comments. Out: its text with all inline markup resolved, and what was lost. Open first:
`renderer.py`, the loop, with templates, links and tables; `tags.py` says what a tag shows, `output.py` holds what is
written and left out.
"""

from preprocessing.wikitext.rendering.renderer import DEPTH_LIMIT, Renderer

__all__ = ["DEPTH_LIMIT", "Renderer"]
