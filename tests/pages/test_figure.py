"""The frame of a chart."""

from markupsafe import Markup

from pages.figure import SERIES, Key, drawing, figure, series_class


def test_a_legend_of_one_entry_is_none() -> None:
    one, two = Key("<a>", "line", 0), Key("b", "dash level0")
    assert "legend" not in figure("caption", [one], Markup("<svg></svg>"))
    made = figure("<caption>", [one, two], Markup("<svg></svg>"), "a note", small=True)
    assert "<figcaption>&lt;caption&gt;</figcaption>" in made
    assert 'key line series0" aria-hidden="true"></span>&lt;a&gt;</li>' in made
    assert '<p class="note">a note</p></figure>' in made
    assert 'class="chart small"' in made


def test_a_drawing_speaks() -> None:
    assert drawing("<t>", "what & how") == (
        '<svg class="plot" role="img"><title>&lt;t&gt;</title><desc>what &amp; how</desc></svg>'
    ).replace('<svg class="plot" role="img">', drawing("", "").partition("<title>")[0])


def test_colours_come_again() -> None:
    assert [series_class(number) for number in (None, 0, SERIES)] == ["plain", "series0", "series0"]
