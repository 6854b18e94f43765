"""Long sentences are cut inside quotations, and at spaces."""

import re

import pytest

from preprocessing.documents.sentences.quotations import cut_inside_quotations


def halves(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=\|)", text) if part]


@pytest.mark.parametrize("marks", ['""', "“”", "«»", "»«", "„“", "„”", "””", "「」", "『』", "()", "（）", "`'", "‘’"])
def test_cuts_stand_inside_quotations_alone(marks: str) -> None:
    text = f"a|b {marks[0]}c|d{marks[1]} e|f"
    assert list(cut_inside_quotations(text, halves, 100)) == [f"a|b {marks[0]}c|", f"d{marks[1]} e|f"]


@pytest.mark.parametrize("text", ["a|b", "it's a|b, isn't it", "5' a|b", ") a|b", "''"])
def test_no_quotation_no_cut(text: str) -> None:
    assert list(cut_inside_quotations(text, halves, 100)) == [text]


def test_what_is_too_long_is_cut_at_spaces() -> None:
    assert list(cut_inside_quotations("aaa bbb cccccc d", halves, 5)) == ["aaa", "bbb", "cccc", "cc d"]


def test_a_quotation_that_never_closes_ends_with_the_sentence() -> None:
    assert list(cut_inside_quotations('"a|b|c', halves, 100)) == ['"a|', "b|", "c"]
