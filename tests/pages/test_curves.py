"""Charts of curves: where points lie, what is said of them, and what is left out."""

import re
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from pages.curves import MOST_POINTS, Curve, Level, Moment, curves
from pages.scales import in_percent


def tree(chart: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def marks(chart: Markup, name: str, class_: str) -> list[ElementTree.Element]:
    return [one for one in tree(chart).iter(name) if class_ in one.get("class", "").split()]


def test_nothing_is_drawn_without_points() -> None:
    assert curves("caption", [Curve("a", [])]) == ""


def test_where_points_lie() -> None:
    chart = curves("Loss", [Curve("training", [(0, 0), (50, 5), (100, 10)])])
    (line,) = marks(chart, "path", "line")
    assert line.get("d") == "M0.0 1000.0L500.0 500.0L1000.0 0.0"
    assert "legend" not in chart


def test_axes() -> None:
    chart = tree(curves("Loss", [Curve("training", [(0, 0), (50, 5), (100, 10)])], x_label="update"))
    shares = (0, 25, 50, 75, 100)
    grid = [tuple(one.get(name) for name in ("x1", "x2", "y1", "y2")) for one in chart.iter("line")]
    assert grid == [("0", "100%", f"{100 - share}%", f"{100 - share}%") for share in shares]
    texts = [(one.text, one.get("x"), one.get("y"), one.get("class")) for one in chart.iter("text")]
    left = [(f"{share / 10:g}", "0", f"{100 - share}%", "tick left") for share in shares]
    below = [(str(share), f"{share}%", "100%", "tick") for share in shares]
    assert texts == [*left, *below, ("update", "50%", "100%", "tick")]


def test_dots_with_their_errors_levels_and_moments() -> None:
    held_out = Curve("held out", [(0, 8), (100, 4)], dots=True, errors=[None, 1])
    level, moments = Level("by frequency alone", 6), [Moment(50, "resumed"), Moment(50, "resumed")]
    chart = curves("Loss", [Curve("training", [(0, 10), (100, 0)]), held_out], levels=[level], moments=moments)
    assert [(one.get("cx"), one.get("cy")) for one in marks(chart, "circle", "dot")] == [("0%", "20%"), ("100%", "60%")]
    (whisker,) = marks(chart, "line", "whisker")
    assert (whisker.get("y1"), whisker.get("y2")) == ("70%", "50%")
    (drawn,) = marks(chart, "line", "level")
    assert drawn.get("y1") == "40%"
    assert {one.get("x1") for one in marks(chart, "line", "moment")} == {"50%"}
    assert re.findall(r"</span>([^<]+)</li>", chart) == ["training", "held out", "by frequency alone", "resumed"]
    assert (
        "training: from 10 at step 0 to 0 at step 100, between 0 and 10. held out: from 8 at step 0 to 4 at step 100, "
        "between 4 and 8. by frequency alone: 6. resumed: step 50, 50." in chart
    )


def test_one_point_is_a_dot() -> None:
    chart = curves("Loss", [Curve("training", [(7, 0.5)])], written=in_percent)
    assert len(marks(chart, "circle", "dot")) == 1
    assert marks(chart, "path", "line") == []
    assert "training: 50% at step 7." in chart


@pytest.mark.parametrize(("count", "bands"), [(MOST_POINTS, 0), (MOST_POINTS + 1, 1)])
def test_many_points_are_means_in_a_band(count: int, bands: int) -> None:
    points = [(float(step), float(step % 2)) for step in range(count)]
    chart = curves("Loss", [Curve("training", points)])
    assert len(marks(chart, "path", "band")) == bands
    (line,) = marks(chart, "path", "line")
    heights = {float(y) for y in re.findall(r" ([\d.]+)", line.get("d", ""))}
    assert len(chart) < 20_000
    if bands:  # means of two or three neighbours: never an end of the axis
        assert all(200 < height < 800 for height in heights)
        (band,) = marks(chart, "path", "band")
        assert {float(y) for y in re.findall(r" ([\d.]+)", band.get("d", ""))} == {0.0, 1000.0}
    else:
        assert heights == {0.0, 1000.0}


def test_labels_are_text() -> None:
    chart = curves("<x>", [Curve("</svg><script>", [(0, 1), (1, 2)])] * 2, levels=[Level("<i>", 1)], x_label="<u>")
    assert not re.search(r"<(x|script|i|u)>", chart)
