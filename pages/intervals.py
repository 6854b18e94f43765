"""Scores as dots with whiskers on one axis, a row each, beside figures to compare with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pages.elements import element, percent
from pages.figure import Key, figure, series_class
from pages.scales import Scale, scale, short

DIAMONDS = {"hollow": "◇", "full": "◆"}
_LINE = 18  # pixels of height a mark's line has


@dataclass(frozen=True)
class Estimate:
    """A mean, its interval where there is one, and the single values behind it. `series` is its colour's number."""

    label: str
    mean: float
    interval: tuple[float, float] | None = None
    values: Sequence[float] = ()
    series: int = 0


@dataclass(frozen=True)
class Reference:
    """A figure of somebody else, or of a rule; `kind` is `hollow` or `full`, both diamonds, or `dash`."""

    label: str
    value: float
    kind: str = "hollow"


@dataclass(frozen=True)
class Row:
    """A line of the figure: what it is of, estimates below each other, and references across them."""

    label: str
    estimates: Sequence[Estimate]
    references: Sequence[Reference] = ()
    note: str = ""


def intervals(
    caption: str, rows: Sequence[Row], *, written: Callable[[float], str] = short, note: str = "", x_label: str = ""
) -> Markup:
    """A figure of these rows on one axis; empty without rows. `written` writes a value."""
    values = [value for row in rows for value in _values(row)]
    if not values:
        return Markup("")
    across = scale(values)
    lines = [_row(row, across) for row in rows]
    ticks = [
        element("text", written(tick), x=percent(across.place(tick)), y="1em", class_="tick") for tick in across.ticks
    ]
    axis = element("svg", *ticks, element("text", x_label, x="50%", y="2.3em", class_="tick"), class_="axis")
    lines.append(element("div", element("div"), axis, class_="row"))
    text = " ".join(_in_words(row, written) for row in rows)
    body = element("div", *lines, class_="rows", role="img", aria_label=f"{caption}. {text}")
    return figure(caption, _keys(rows), body, note)


def _values(row: Row) -> list[float]:
    found = [reference.value for reference in row.references]
    for estimate in row.estimates:
        found += [estimate.mean, *estimate.values, *(estimate.interval or ())]
    return found


def _row(row: Row, across: Scale) -> Markup:
    height = _LINE * max(1, len(row.estimates)) + 6
    parts = [
        element(
            "line", x1=percent(across.place(tick)), x2=percent(across.place(tick)), y1="0", y2="100%", class_="grid"
        )
        for tick in across.ticks
    ]
    for reference in row.references:
        parts.append(_reference(reference, across, height))
    for number, estimate in enumerate(row.estimates):
        parts += _estimate(estimate, across, _LINE * number + _LINE / 2 + 3)
    label = element(
        "div",
        element("b", row.label),
        element("span", row.note, class_="note") if row.note else Markup(""),
        class_="label",
    )
    return element("div", label, element("svg", *parts, height=height, aria_hidden="true"), class_="row")


def _reference(reference: Reference, across: Scale, height: float) -> Markup:
    place = percent(across.place(reference.value))
    if reference.kind == "dash":
        return element("line", x1=place, x2=place, y1="0", y2="100%", class_="level level0")
    # A diamond is a character: a path could not be placed in percent.
    return element("text", DIAMONDS[reference.kind], x=place, y=height / 2, dy="0.35em", class_="diamond")


def _estimate(estimate: Estimate, across: Scale, y: float) -> list[Markup]:
    colour = series_class(estimate.series)
    parts = []
    if estimate.interval is not None:
        low, high = (percent(across.place(end)) for end in estimate.interval)
        parts.append(element("line", x1=low, x2=high, y1=y, y2=y, class_=f"whisker {colour}"))
        for end in (low, high):
            parts.append(element("line", x1=end, x2=end, y1=y - 4, y2=y + 4, class_=f"whisker {colour}"))
    for value in estimate.values:
        parts.append(element("circle", cx=percent(across.place(value)), cy=y, r="3", class_=f"seed {colour}"))
    parts.append(element("circle", cx=percent(across.place(estimate.mean)), cy=y, r="5", class_=f"dot {colour}"))
    return parts


def _keys(rows: Sequence[Row]) -> list[Key]:
    estimates = {estimate.label: estimate.series for row in rows for estimate in row.estimates}
    references = {reference.label: reference.kind for row in rows for reference in row.references}
    keys = [Key(label, "dot", series) for label, series in estimates.items()]
    return keys + [Key(label, "dash level0" if kind == "dash" else kind) for label, kind in references.items()]


def _in_words(row: Row, written: Callable[[float], str]) -> str:
    parts = []
    for estimate in row.estimates:
        ends = estimate.interval
        between = f", interval {written(ends[0])} to {written(ends[1])}" if ends is not None else ""
        parts.append(f"{estimate.label} {written(estimate.mean)}{between}")
    parts += [f"{reference.label} {written(reference.value)}" for reference in row.references]
    return f"{row.label}: {'; '.join(parts)}."
