"""The frame of a chart: caption, legend, drawing, and the text that stands for it where nobody sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pages.elements import element

SERIES = 6
"""Colours that the style sheet has; then they come again. Dashes and marks tell series apart as well."""


@dataclass(frozen=True)
class Key:
    """An entry of the legend. `shape`: `line`, `dot`, `dash`, `moment`, `hollow` or `full`; `series`: its colour."""

    label: str
    shape: str
    series: int | None = None


def series_class(number: int | None) -> str:
    """The class that gives a mark its colour; None is the colour of text."""
    return "plain" if number is None else f"series{number % SERIES}"


def figure(caption: str, keys: Sequence[Key], drawing: Markup, note: str = "", *, small: bool = False) -> Markup:
    """A `<figure>`; the legend is left out where it would have one entry."""
    legend = element("ul", [_entry(key) for key in keys], class_="legend") if len(keys) > 1 else Markup("")
    return element(
        "figure",
        element("figcaption", caption),
        legend,
        drawing,
        element("p", note, class_="note") if note else Markup(""),
        class_="chart small" if small else "chart",
    )


def drawing(title: str, description: str, *children: Markup) -> Markup:
    """An SVG that is as wide as there is room and speaks its title and description. Its parts are placed in percent."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        class_="plot",
        role="img",
    )


def _entry(key: Key) -> Markup:
    sign = element("span", class_=f"key {key.shape} {series_class(key.series)}", aria_hidden="true")
    return element("li", sign, key.label)
