"""Elements: what comes from outside is escaped, wherever it stands."""

from markupsafe import Markup

from pages.elements import element, percent


def test_children_and_attributes_are_escaped() -> None:
    made = element("p", "<b>", ["a & b", Markup("<i>ours</i>")], title="\"'<>&", class_="x", aria_label=3.0)
    assert made == ('<p title="&#34;&#39;&lt;&gt;&amp;" class="x" aria-label="3">&lt;b&gt;a &amp; b<i>ours</i></p>')


def test_attributes_that_are_not_there() -> None:
    assert element("details", open=True, hidden=False, name=None, r=2.5) == '<details open r="2.5"></details>'


def test_lengths_in_percent() -> None:
    assert [percent(share) for share in (0, 1, 0.5, 1 / 3)] == ["0%", "100%", "50%", "33.33%"]
