"""Dots with whiskers."""

from xml.etree import ElementTree

from pages.intervals import Estimate, Reference, Row, intervals


def chart_of(*rows: Row) -> str:
    return intervals("Scores", rows)


def test_nothing_to_show() -> None:
    assert chart_of() == ""


def test_where_marks_lie() -> None:
    model = Estimate("ours", 50, (25, 75), [40, 60], series=1)
    row = Row(
        "rte", [model], [Reference("paper", 100), Reference("Large", 75, "full"), Reference("constant", 0, "dash")]
    )
    chart = ElementTree.fromstring(chart_of(row))
    circles = [(one.get("class"), one.get("cx")) for one in chart.iter("circle")]
    assert circles == [("seed series1", "40%"), ("seed series1", "60%"), ("dot series1", "50%")]
    whiskers = [(one.get("x1"), one.get("x2")) for one in chart.iter("line") if "whisker" in one.get("class", "")]
    assert whiskers == [("25%", "75%"), ("25%", "25%"), ("75%", "75%")]
    diamonds = [(one.text, one.get("x")) for one in chart.iter("text") if one.get("class") == "diamond"]
    assert diamonds == [("◇", "100%"), ("◆", "75%")]
    assert [one.get("x1") for one in chart.iter("line") if "level" in one.get("class", "")] == ["0%"]
    (body,) = (one for one in chart.iter("div") if one.get("role") == "img")
    words = "Scores. rte: ours 50, interval 25 to 75; paper 100; Large 75; constant 0."
    assert body.get("aria-label") == words


def test_rows_share_an_axis_and_the_legend() -> None:
    rows = [Row(task, [Estimate("a", 10), Estimate("<b>", 20, series=1)]) for task in ("one", "<two>")]
    text = intervals("Scores", rows, x_label="points")
    assert text.count("<li>") == 2
    assert "<b>20" not in text
    assert "<two>" not in text
    chart = ElementTree.fromstring(text)
    heights = [one.get("height") for one in chart.iter("svg") if one.get("aria-hidden")]
    assert heights == ["42", "42"]
    assert [(one.get("cx"), one.get("cy")) for one in chart.iter("circle")] == [("0%", "12"), ("100%", "30")] * 2
    (axis,) = (one for one in chart.iter("svg") if one.get("class") == "axis")
    ticks = [(one.text, one.get("x"), one.get("y")) for one in axis.iter("text")]
    assert ticks == [*((f"{10 + 2.5 * n:g}", f"{25 * n}%", "1em") for n in range(5)), ("points", "50%", "2.3em")]
    grid = [(one.get("x1"), one.get("x2"), one.get("y1"), one.get("y2")) for one in chart.iter("line")]
    assert grid == [(f"{share}%", f"{share}%", "0", "100%") for share in (0, 25, 50, 75, 100)] * 2
