"""Lines over steps, with held-out points, levels to compare with, and marks where something happened."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from pages.elements import element, percent
from pages.figure import Key, drawing, figure, series_class
from pages.scales import Scale, scale, short

MOST_POINTS = 300
"""Above that neighbours share a point: their mean, within a band from the lowest to the highest."""
_BINS = 120
_SIDE = 1000  # of the box that lines are drawn in, which the browser stretches


@dataclass(frozen=True)
class Curve:
    """(x, y) by ascending x. `dots` draws points and no line; `errors` are half the widths of their whiskers."""

    label: str
    points: Sequence[tuple[float, float]]
    dots: bool = False
    errors: Sequence[float | None] = ()


@dataclass(frozen=True)
class Level:
    """A height to compare with, across the whole chart."""

    label: str
    value: float


@dataclass(frozen=True)
class Moment:
    """A place on the x axis where something happened."""

    x: float
    label: str


@dataclass(frozen=True)
class _Bin:
    x: float
    low: float
    mean: float
    high: float


def curves(
    caption: str,
    drawn: Sequence[Curve],
    *,
    levels: Sequence[Level] = (),
    moments: Sequence[Moment] = (),
    written: Callable[[float], str] = short,
    x_label: str = "step",
    small: bool = False,
) -> Markup:
    """A figure of these curves; empty where no curve has a point. `written` writes a value of the y axis."""
    drawn = [curve for curve in drawn if curve.points]
    if not drawn:
        return Markup("")
    across = scale([x for curve in drawn for x, _ in curve.points] + [moment.x for moment in moments], tight=True)
    up = scale([*(value for curve in drawn for value in _reach(curve)), *(level.value for level in levels)])
    parts = [*_axes(across, up, written, x_label)]
    parts += [_moment(moment, across) for moment in moments]
    for number, level in enumerate(levels):
        parts.append(_rule(up.place(level.value), f"level level{number % 2}"))
    for number, curve in enumerate(drawn):
        parts += _dots(curve, number, across, up) if curve.dots else _line(curve, number, across, up)
    keys = [Key(curve.label, "dot" if curve.dots else "line", number) for number, curve in enumerate(drawn)]
    keys += [Key(level.label, f"dash level{number % 2}") for number, level in enumerate(levels)]
    keys += [Key(label, "moment") for label in dict.fromkeys(moment.label for moment in moments)]
    text = " ".join(_in_words(drawn, levels, moments, written, x_label))
    return figure(caption, keys, drawing(caption, text, *parts), small=small)


def _reach(curve: Curve) -> Iterator[float]:
    errors = [error or 0.0 for error in curve.errors] or [0.0] * len(curve.points)
    for (_, y), error in zip(curve.points, errors, strict=True):
        yield y - error
        yield y + error


def _axes(across: Scale, up: Scale, written: Callable[[float], str], x_label: str) -> Iterator[Markup]:
    for tick in up.ticks:
        place = percent(1 - up.place(tick))
        yield element("line", x1="0", x2="100%", y1=place, y2=place, class_="grid")
        yield element("text", written(tick), x="0", y=place, dx="-0.5em", dy="0.35em", class_="tick left")
    for tick in across.ticks:
        yield element("text", short(tick), x=percent(across.place(tick)), y="100%", dy="1.3em", class_="tick")
    yield element("text", x_label, x="50%", y="100%", dy="2.6em", class_="tick")


def _rule(height: float, class_: str) -> Markup:
    place = percent(1 - height)
    return element("line", x1="0", x2="100%", y1=place, y2=place, class_=class_)


def _moment(moment: Moment, across: Scale) -> Markup:
    place = percent(across.place(moment.x))
    return element("line", x1=place, x2=place, y1="0", y2="100%", class_="moment")


def _line(curve: Curve, number: int, across: Scale, up: Scale) -> Iterator[Markup]:
    bins = _thinned(curve.points)

    def path(heights: Sequence[tuple[float, float]]) -> str:
        places = (f"{_SIDE * across.place(x):.1f} {_SIDE * (1 - up.place(y)):.1f}" for x, y in heights)
        return "M" + "L".join(places)

    lines = []
    if len(curve.points) > MOST_POINTS:
        outline = [(one.x, one.high) for one in bins] + [(one.x, one.low) for one in reversed(bins)]
        lines.append(element("path", d=path(outline) + "Z", class_=f"band {series_class(number)}"))
    if len(bins) > 1:
        middle = path([(one.x, one.mean) for one in bins])
        lines.append(element("path", d=middle, class_=f"line {series_class(number)}"))
        yield element("svg", *lines, viewBox=f"0 0 {_SIDE} {_SIDE}", preserveAspectRatio="none", class_="stretched")
    else:
        yield from _dots(curve, number, across, up)


def _thinned(points: Sequence[tuple[float, float]]) -> list[_Bin]:
    if len(points) <= MOST_POINTS:
        return [_Bin(x, y, y, y) for x, y in points]
    edges = [round(place * len(points) / _BINS) for place in range(_BINS + 1)]
    found = []
    for begin, end in pairwise(edges):
        heights = [y for _, y in points[begin:end]]
        middle = (points[begin][0] + points[end - 1][0]) / 2
        found.append(_Bin(middle, min(heights), sum(heights) / len(heights), max(heights)))
    return found


def _dots(curve: Curve, number: int, across: Scale, up: Scale) -> Iterator[Markup]:
    errors = curve.errors or [None] * len(curve.points)
    for (x, y), error in zip(curve.points, errors, strict=True):
        place, colour = percent(across.place(x)), series_class(number)
        if error:
            low, high = percent(1 - up.place(y - error)), percent(1 - up.place(y + error))
            yield element("line", x1=place, x2=place, y1=low, y2=high, class_=f"whisker {colour}")
        yield element("circle", cx=place, cy=percent(1 - up.place(y)), r="4", class_=f"dot {colour}")


def _in_words(
    drawn: Sequence[Curve],
    levels: Sequence[Level],
    moments: Sequence[Moment],
    written: Callable[[float], str],
    x_label: str,
) -> Iterator[str]:
    for curve in drawn:
        (first, start), (last, end) = curve.points[0], curve.points[-1]
        if len(curve.points) == 1:
            yield f"{curve.label}: {written(start)} at {x_label} {first:,.0f}."
            continue
        heights = [y for _, y in curve.points]
        yield (
            f"{curve.label}: from {written(start)} at {x_label} {first:,.0f} to {written(end)} at {x_label} "
            f"{last:,.0f}, between {written(min(heights))} and {written(max(heights))}."
        )
    for level in levels:
        yield f"{level.label}: {written(level.value)}."
    for label in dict.fromkeys(moment.label for moment in moments):
        places = [f"{moment.x:,.0f}" for moment in moments if moment.label == label]
        shown = ", ".join(places[:8]) + (f" and {len(places) - 8} more" if len(places) > 8 else "")
        yield f"{label}: {x_label} {shown}."
