"""Histograms."""

from xml.etree import ElementTree

import pytest

from pages.columns import Column, binned, columns


def test_columns_stand_where_their_values_are() -> None:
    drawn = [Column(0, 10, 3), Column(10, 20, 0), Column(20, 30, 6), Column(30, 40, 1)]
    chart = columns("Lengths", drawn, x_label="tokens", y_label="examples")
    found = list(ElementTree.fromstring(chart).iter("rect"))
    assert [(one.get("x"), one.get("width"), one.get("height")) for one in found] == [
        ("0%", "25%", "50%"),
        ("50%", "25%", "100%"),
        ("75%", "25%", "16.67%"),
    ]
    assert "examples by tokens, from 0 to 39; most, 6, from 20 to 29." in chart
    assert "<figcaption>Lengths (examples)</figcaption>" in chart


def test_axes() -> None:
    drawn = [Column(0, 10, 4), Column(10, 20, 8), Column(20, 30, 6), Column(30, 40, 1)]
    chart = ElementTree.fromstring(columns("Lengths", drawn, x_label="tokens", y_label="examples"))
    grid = [tuple(one.get(name) for name in ("x1", "x2", "y1", "y2")) for one in chart.iter("line")]
    assert grid == [("0", "100%", place, place) for place in ("100%", "50%", "0%")]
    texts = [(one.text, one.get("x"), one.get("y"), one.get("class")) for one in chart.iter("text")]
    left = [("0", "0", "100%"), ("5", "0", "50%"), ("10", "0", "0%")]
    below = [(str(tick), f"{tick * 2.5:g}%", "100%") for tick in (0, 10, 20, 30, 40)]
    assert texts == [
        *((*one, "tick left") for one in left),
        *((*one, "tick") for one in (*below, ("tokens", "50%", "100%"))),
    ]


@pytest.mark.parametrize("drawn", [[], [Column(0, 1, 5)], [Column(0, 1, 5), Column(1, 2, 0), Column(2, 3, 1)]])
def test_too_few_columns_are_no_chart(drawn: list[Column]) -> None:
    assert columns("Lengths", drawn, x_label="tokens", y_label="examples") == ""


def test_bins_hold_every_count_once() -> None:
    found = binned({1: 2, 4: 3, 5: 7, 8: 1, 9: 100}, 8, bins=2)
    assert found == [Column(1, 5, 5), Column(5, 9, 8)]
    assert [column.end - column.start for column in binned({}, 128)] == [4] * 32
