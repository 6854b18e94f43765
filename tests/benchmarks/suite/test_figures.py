"""Medians and spreads over runs."""

from benchmarks.suite.figures import Spread, flat, spreads


def test_numbers_have_dotted_names() -> None:
    figures = {"a": 1, "b": {"c-128": 2.5, "text": "x", "none": None, "yes": True}, "d": [3, {"e": 4}]}
    assert dict(flat(figures)) == {"a": 1.0, "b.c-128": 2.5, "d.0": 3.0, "d.1.e": 4.0}


def test_the_median_and_the_ends() -> None:
    found = spreads([{"a": 5, "b": 1}, {"a": 1}, {"a": 2}, None])
    assert found == {"a": Spread(2, 1, 5, 3), "b": Spread(1, 1, 1, 1)}
    assert list(found) == ["a", "b"]
    assert spreads([{"a": 1}, {"a": 2}])["a"].median == 1.5
