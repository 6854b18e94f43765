"""Pictures of the data report, as SVG text that goes into the page."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, PercentFormatter

BLUE, ORANGE, GREY = "#3465a4", "#c4682b", "#888888"
_SVG: Any = {"svg.hashsalt": "data report", "svg.fonttype": "none"}


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    with mpl.rc_context(_SVG):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": title})
    # Only the element itself: an XML prologue has no place inside a page.
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), count=1, flags=re.DOTALL)


def length_histogram(histogram: Mapping[int, int], length: int, bins: int = 32) -> str:
    """Examples by number of tokens, in `bins` equal bins from 0 to `length`."""
    figure, axes = _figure(5.0, 2.4)
    width = max(1, -(-length // bins))
    counts: dict[int, int] = {}
    for tokens, rows in histogram.items():
        start = (tokens - 1) // width * width
        counts[start] = counts.get(start, 0) + rows
    axes.bar(
        list(counts), list(counts.values()), width=width, align="edge", color=BLUE, edgecolor="white", linewidth=0.3
    )
    axes.set_xlim(0, length)
    axes.set_xlabel(f"tokens of an example (sequence length {length})")
    axes.set_ylabel("examples")
    return _svg(figure, f"Lengths of examples, {length}")


def label_balance(random_share: Mapping[str, float]) -> str:
    """Share of random pairs by split and length, against one half."""
    figure, axes = _figure(5.0, 0.7 + 0.35 * len(random_share))
    names = list(random_share)
    axes.barh(names, [random_share[name] for name in names], color=ORANGE, label="random")
    axes.barh(
        names, [1 - random_share[name] for name in names], left=[random_share[name] for name in names], color=BLUE
    )
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle="--")
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.set_xlabel("share of pairs: random (left), next (right)")
    return _svg(figure, "Label balance")


def rate_by_word_length(rates: Mapping[int, float], target: float | None) -> str:
    """Masked share of the pieces in words of 1, 2, 3, … pieces."""
    figure, axes = _figure(5.0, 2.4)
    lengths = sorted(rates)
    axes.bar([str(length) for length in lengths], [rates[length] for length in lengths], color=BLUE)
    if target is not None:
        axes.axhline(target, color="black", linewidth=0.8, linestyle="--")
    axes.set_xlabel("pieces of a word")
    axes.set_ylabel("masked share of pieces")
    return _svg(figure, "Mask rate by word length")


def bars(values: Mapping[str, float], label: str, *, share: bool = False, rows: int = 20) -> str:
    """Horizontal bars, largest first, at most `rows`."""
    chosen: Sequence[tuple[str, float]] = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:rows]
    figure, axes = _figure(5.0, 0.7 + 0.26 * max(1, len(chosen)))
    # Names come from the data (template names): '$' would start mathematical notation.
    names = [name.replace("$", r"\$")[:40] for name, _ in chosen]
    places = list(range(len(chosen)))
    axes.barh(places, [value for _, value in chosen], color=BLUE)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    # A percentage shows as many places as the axis needs; counts of tokens run from hundreds to billions.
    axes.xaxis.set_major_formatter(PercentFormatter(1.0) if share else EngFormatter(sep=""))
    return _svg(figure, label)
