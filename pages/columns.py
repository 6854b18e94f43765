"""A histogram: how many there are of each size."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pages.elements import element, percent
from pages.figure import drawing, figure
from pages.scales import scale, short

FEWEST = 3
"""Columns; fewer are said in a sentence or a table by whoever would draw them."""


@dataclass(frozen=True)
class Column:
    """`count` of what lies from `start` up to, not including, `end`."""

    start: float
    end: float
    count: float


def columns(caption: str, drawn: Sequence[Column], *, x_label: str, y_label: str) -> Markup:
    """A figure of these columns, which stand side by side; empty where there are fewer than `FEWEST` that are not 0."""
    filled = [column for column in drawn if column.count]
    if len(filled) < FEWEST:
        return Markup("")
    low, high = drawn[0].start, drawn[-1].end
    across = scale([low, high], tight=True)
    up = scale([0.0, max(column.count for column in filled)], 4)
    parts = []
    for tick in up.ticks:
        place = percent(1 - up.place(tick))
        parts.append(element("line", x1="0", x2="100%", y1=place, y2=place, class_="grid"))
        parts.append(element("text", short(tick), x="0", y=place, dx="-0.5em", dy="0.35em", class_="tick left"))
    for column in filled:
        height = up.place(column.count)
        parts.append(
            element(
                "rect",
                x=percent(across.place(column.start)),
                width=percent(across.place(column.end) - across.place(column.start)),
                y=percent(1 - height),
                height=percent(height),
                class_="column series0",
            )
        )
    for tick in across.ticks:
        parts.append(element("text", short(tick), x=percent(across.place(tick)), y="100%", dy="1.3em", class_="tick"))
    parts.append(element("text", x_label, x="50%", y="100%", dy="2.6em", class_="tick"))
    most = max(filled, key=lambda column: column.count)
    text = (
        f"{y_label} by {x_label}, from {filled[0].start:,.0f} to {filled[-1].end - 1:,.0f}; most, {most.count:,.0f}, "
        f"from {most.start:,.0f} to {most.end - 1:,.0f}."
    )
    return figure(f"{caption} ({y_label})", (), drawing(caption, text, *parts))


def binned(counts: dict[int, int], most: int, bins: int = 32) -> list[Column]:
    """Columns of equal width over 1 … `most` from counts by whole number; those above `most` are left out."""
    width = max(1, -(-most // bins))
    found = [Column(start, start + width, 0) for start in range(1, most + 1, width)]
    sums = [0] * len(found)
    for value, count in counts.items():
        if 1 <= value <= most:
            sums[(value - 1) // width] += count
    return [Column(one.start, one.end, total) for one, total in zip(found, sums, strict=True)]
