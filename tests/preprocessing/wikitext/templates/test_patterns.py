"""Patterns: text with places for arguments."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.wikitext.edition import Dates, edition
from preprocessing.wikitext.templates.patterns import PatternError, compile_pattern

SPANISH = edition("es").dates


@pytest.mark.parametrize(
    ("pattern", "raw", "text"),
    [
        ("{1} de {2}", ["a", "b"], "a de b"),
        ("{1} de {2}", ["a"], ""),
        ("{1}[ de {2}]", ["a"], "a"),
        ("{1}[ de {2}[ ({3})]]", ["a", "", "c"], "a"),
        ("{1}[ de {2}[ ({3})]]", ["a", "b", "c"], "a de b (c)"),
        ("n° [{1}]", [], "n° "),
        ("{lt|2|1}", ["a", "b", "lt="], "b"),
        ("{lt|2|1}", ["a", "LT=c"], "c"),
        ("{2|=e}", ["a"], "e"),
        ("{1|=[sic]}", [], "[sic]"),
        ("{1:month}", ["05"], "mayo"),
        ("{1:month}", ["mayo"], "mayo"),
        ("{1:month}", ["13"], "13"),
        ("{1:day}", ["05"], "5"),
        ("{1:upper}{1:lower}", ["aB"], "ABab"),
        (r"\[{1}\] \{", ["x"], "[x] {"),
        ("{нп}", ["нп=x"], "x"),
    ],
)
def test_patterns(pattern: str, raw: list[str], text: str) -> None:
    assert compile_pattern(pattern, SPANISH)(raw) == text


def test_a_star_is_what_the_name_had() -> None:
    assert compile_pattern("{*}e siècle", Dates(), "II")([]) == "IIe siècle"


def test_an_argument_is_text_and_no_pattern() -> None:
    assert compile_pattern("<{1}>", Dates())(["{2}[x]"]) == "<{2}[x]>"


@pytest.mark.parametrize("pattern", ["{1", "1}", "[{1}", "{1}]", "{}", "{0}", "{1:x}", "{a.b}", "[" * 20 + "]" * 20])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern, Dates())


@given(
    st.text(alphabet="{}[]\\|:=*12 ab" + string.ascii_letters, max_size=30), st.lists(st.text(max_size=8), max_size=4)
)
def test_any_text_is_a_pattern_or_refused(pattern: str, raw: list[str]) -> None:
    try:
        render = compile_pattern(pattern, SPANISH)
    except PatternError:
        return
    assert isinstance(render(raw), str)
