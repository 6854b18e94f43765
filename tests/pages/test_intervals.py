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
    text = chart_of(*rows)
    assert text.count("<li>") == 2
    assert "<b>20" not in text
    assert "<two>" not in text
    chart = ElementTree.fromstring(text)
    heights = [one.get("height") for one in chart.iter("svg") if one.get("aria-hidden")]
    assert heights == ["42", "42"]
    assert [one.get("cx") for one in chart.iter("circle")] == ["0%", "100%"] * 2
