"""Which apostrophes are marks: the rules of MediaWiki's `doQuotes`, case by case and as properties."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.wikitext.apostrophes import without_marks


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        # balanced
        ("''a'' '''b''' '''''c''''' d's", "a b c d's"),
        ("'''a ''b'' c''' d", "a b c d"),
        ("'''''a'' b''' c", "a b c"),
        ("'''''a''' b'' c", "a b c"),
        # one kind is odd: it is closed at the end of the line, nothing is text
        ("''a b", "a b"),
        ("a '''b", "a b"),
        ("a '''''b", "a b"),
        # four, and more than five
        ("''''a'''", "'a"),
        ("l''''année''' x", "l'année x"),
        ("''''''a'''''", "'a"),
        ("''''''''a''''' b", "'''a b"),
        # both odd: one bold mark is an apostrophe and italics
        ("In ''Yellow Submarine'''s credits", "In Yellow Submarine's credits"),
        ("L'''oiseau'' est", "L'oiseau est"),
        ("dans l'''Odyssée'' d'Homère", "dans l'Odyssée d'Homère"),
        ("the ''Bounty''' sailed", "the Bounty' sailed"),
        # after a word of one letter sooner than after a longer one, after that sooner than after a space
        ("un mot'''x''y d'''z '''t", "un motxy d'z t"),
        ("a '''b c'''d '''e''f", "a b c'd ef"),
        ("a '''b''c", "a 'bc"),
        # no bold mark alone: nothing can be broken
        ("'''''a'' b'' c''d", "a b cd"),
        ("'a' ' b", "'a' ' b"),
        ("", ""),
    ],
)
def test_lines(line: str, shown: str) -> None:
    assert without_marks(line) == shown


lines = st.lists(st.sampled_from(["'", "''", "'''", "''''", "'''''", "a", "bc", " ", "d "]), max_size=14).map("".join)


@settings(max_examples=500, deadline=None)
@given(lines)
def test_only_apostrophes_go_and_single_ones_stay(line: str) -> None:
    shown = without_marks(line)
    assert shown.replace("'", "") == line.replace("'", "")
    alone = len(re.findall("(?<!')'(?!')", line))
    assert alone <= shown.count("'") <= line.count("'")


@settings(max_examples=500, deadline=None)
@given(lines)
def test_an_odd_number_of_both_costs_one_apostrophe_less(line: str) -> None:
    lengths = [len(run) for run in re.findall("''+", line)]
    text = line.count("'") - sum(lengths) + sum(1 if n == 4 else max(0, n - 5) for n in lengths)
    bold = sum(n != 2 for n in lengths)
    italic = sum(n == 2 or n >= 5 for n in lengths)
    is_broken = bold % 2 and italic % 2 and any(n in (3, 4) for n in lengths)
    assert without_marks(line).count("'") == text + bool(is_broken)
