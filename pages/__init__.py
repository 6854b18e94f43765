"""The look of every report: one page, one style sheet, one way to draw. Knows nothing of what it shows.

In: a template of a stage, found in that stage's package, and plain values. Out: one self-contained HTML page (no
script, no network), light and dark, from a phone's width on. Open first: `rendering.py`, then `templates/base.html`,
which every page extends, and `templates/parts.html`, the pieces that pages are made of (tables, tiles, bars).

Charts are inline SVG from `curves.py` (lines over steps), `columns.py` (histograms) and `intervals.py` (dots with
whiskers); `scales.py` chooses ticks, `elements.py` writes elements and escapes what is in them, `figure.py` is the
frame with its legend and text alternative. Bars are no charts here: they stand in the cells of tables, below their
number.
"""

from pages.rendering import render

__all__ = ["columns", "curves", "elements", "figure", "intervals", "render", "rendering", "scales"]
