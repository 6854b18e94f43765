"""Scores, their intervals and their table."""

from dataclasses import replace

import pytest

from tests.mutants.ledger import Entry
from tests.mutants.scores import Score, score_of, table_of

ENTRY = Entry("a.py", "m", "t", "k", "f", 3, "x", "y", True, "test", 0.5)


def test_equivalent_mutants_count_for_nothing() -> None:
    lives, same = replace(ENTRY, killed=False), replace(ENTRY, killed=False, after="z")
    score, survivors = score_of("a", 9, [ENTRY, lives, same, ENTRY], {("a.py", "f", "x", "z"): "reason"})
    assert score == Score("a", of=9, tried=4, killed=2, equivalent=1)
    assert (score.survived, survivors) == (1, [lives])
    assert score.share == pytest.approx(2 / 3)


def test_wilsons_interval() -> None:
    """As in Newcombe 1998, table I: 81 of 263 and 15 of 148; nothing of nothing says nothing."""
    assert Score("a", 999, 263, 81, 0).interval == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert Score("a", 999, 158, 15, 10).interval == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert Score("a", 0, 0, 0, 0).interval == (0.0, 1.0)
    assert Score("a", 0, 0, 0, 0).share == 1.0


def test_only_a_sample_has_an_interval() -> None:
    table = table_of([Score("a/b", 12, 12, 8, 2), Score("c", 300, 100, 95, 0)])
    assert table.splitlines()[2:] == [
        "| `a/b` | 12 | 12 | 8 | 2 | 2 | 80.0% |",
        "| `c` | 300 | 100 | 95 | 0 | 5 | 95.0% (89% to 98%) |",
    ]
