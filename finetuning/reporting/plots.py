"""Plots of the fine-tuning report, as SVG text that goes into the page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

COLOURS = ("#3465a4", "#c4682b", "#4e8a3e", "#7a4f9a", "#888888")
# The text is drawn with the reader's fonts, which may be a little larger than those that the layout was made with.
_PADDING: Any = {"w_pad": 0.12, "h_pad": 0.08}
_SVG: Any = {"svg.hashsalt": "fine-tuning report", "svg.fonttype": "none"}


def _svg(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    with mpl.rc_context(_SVG):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": title})
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), count=1, flags=re.DOTALL)


def _plain(text: str) -> str:
    return text.replace("$", r"\$")  # '$' would start mathematical notation


def scores_by_setting(
    scores: Mapping[str, Mapping[str, Sequence[float]]], majority: float, paper: Mapping[str, float], metric: str
) -> str:
    """One dot for each run, by model and setting: model → setting → scores. `paper`: name → figure, as dashed lines."""
    rows = [(model, setting) for model, settings in scores.items() for setting in settings]
    figure = Figure(figsize=(6.4, 1.3 + 0.32 * len(rows)))
    figure.set_layout_engine("constrained", **_PADDING)
    axes = figure.add_subplot()
    models = list(scores)
    for place, (model, setting) in enumerate(rows):
        values = [100 * value for value in scores[model][setting]]
        colour = COLOURS[models.index(model) % len(COLOURS)]
        axes.plot(values, [place] * len(values), "o", color=colour, alpha=0.6, markersize=5)
        axes.plot(sum(values) / len(values), place, "|", color=colour, markersize=16, markeredgewidth=2)
    axes.axvline(100 * majority, color="black", linewidth=0.8, linestyle=":", label="constant answer")
    for name, value in paper.items():
        axes.axvline(value, color="grey", linewidth=0.8, linestyle="--", label=_plain(name))
    axes.set_yticks(range(len(rows)), [_plain(f"{model}: {setting}") for model, setting in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)  # downwards, with room for the dots of the first row and the last
    axes.set_xlabel(f"{metric}, percent (a dot a seed, a bar the mean)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=7, loc="outside upper right", ncols=2)
    return _svg(figure, f"Scores by setting, {metric}")


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """The confusion matrix: rows are right classes, columns answers, shade the share within a row."""
    size = len(labels)
    figure = Figure(figsize=(1.9 + 0.5 * size, 1.5 + 0.45 * size))
    figure.set_layout_engine("constrained", **_PADDING)
    axes = figure.add_subplot()
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            axes.text(
                j, i, str(count), ha="center", va="center", color="white" if shares[i][j] > 0.6 else "black", size=8
            )
    names = [_plain(label) for label in labels]
    axes.set_xticks(range(size), names, rotation=45 if size > 3 else 0, ha="right" if size > 3 else "center")
    axes.set_yticks(range(size), names)
    axes.set_xlabel("answer")
    axes.set_ylabel("right")
    return _svg(figure, "Confusion matrix")
