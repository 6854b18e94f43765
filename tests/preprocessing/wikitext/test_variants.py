"""Marks of language conversion: what a reader of one variant sees."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.wikitext.variants import resolve_variants

SOFTWARE = "-{zh-hans:软件;zh-hant:軟體;zh-hk:軟件}-"


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("", "软件"),
        ("zh", "软件"),
        ("zh-hans", "软件"),
        ("zh-cn", "软件"),
        ("zh-sg", "软件"),
        ("zh-my", "软件"),
        ("zh-hant", "軟體"),
        ("zh-tw", "軟體"),
        ("zh-hk", "軟件"),
        ("zh-mo", "軟件"),
        ("en", SOFTWARE),  # has no variants: the mark is text
    ],
)
def test_a_variant_is_chosen_or_its_relative(language: str, shown: str) -> None:
    assert resolve_variants(SOFTWARE, language) == shown


@pytest.mark.parametrize(
    ("source", "language", "shown"),
    [
        # without rules the content is shown, whatever signs are in it
        ("-{康熙}-年", "zh", "康熙年"),
        ("-{}-", "zh", ""),
        ("-{Dune: a novel; 1965}-", "zh", "Dune: a novel; 1965"),
        ("-{a&nbsp;b}-", "zh", "a&nbsp;b"),
        # empty and unknown choices
        ("-{zh-hans:;zh-hant:甲}-", "zh-hans", "甲"),
        ("-{zh-tw:乙;zh-hk:丙;}-", "zh-cn", "乙"),
        ("-{zh-hans: 丁 ; zh-hant: 戊 ; }-", "zh-tw", "戊"),
        ("-{zh-Hant-TW:己;zh-Hans-CN:庚}-", "zh-tw", "己"),
        # text with a semicolon inside a rule
        ("-{zh-hans:a&nbsp;b; c;zh-hant:d}-", "zh-hans", "a&nbsp;b; c"),
        # flags
        ("-{A|zh-hans:博客;zh-hant:部落格}-", "zh-tw", "部落格"),
        ("-{ A ; D | zh-hans:博客;zh-hant:部落格}-", "zh-tw", "部落格"),
        ("x-{H|zh-hans:博客;zh-hant:部落格}-y", "zh", "xy"),
        ("x-{T|zh-hans:博客;zh-hant:部落格}-y", "zh", "xy"),
        ("x-{-|zh-hans:博客;zh-hant:部落格}-y", "zh", "xy"),
        ("x-{N|zh-tw}-y", "zh", "xy"),
        ("-{R|zh-hans:as it stands}-", "zh", "zh-hans:as it stands"),
        ("-{zh-hans;zh-hant|text}-", "zh", "text"),
        ("-{zh-hans|text}-", "zh-tw", "text"),
        ("-{[[a|b]]}-", "zh", "[[a|b]]"),  # the bar is the link's
        # one-way rules
        ("-{巨集=>zh-cn:宏}-", "zh-cn", "宏"),
        ("-{x=>zh-cn:宏;x=>zh-tw:巨集}-", "zh-tw", "巨集"),
        # nested, with templates beside the braces
        ("-{zh-hans:甲-{zh-cn:1;zh-sg:2}-;zh-hant:乙-{zh-tw:3;zh-hk:4}-}-", "zh-hk", "乙4"),
        ("-{zh-hans:{{lang|a}};zh-hant:{{lang|b}}}-!", "zh-hant", "{{lang|b}}!"),
        ("-{{{lang|a}}}-", "zh", "{{lang|a}}"),
        ("{{a}}-{{b}}-{c}-", "zh", "{{a}}-{{b}}c"),
        # never opened, never closed
        ("a }- b -{ c", "zh", "a }- b -{ c"),
        ("-{ a -{b}-", "zh", "-{ a b"),
        # opaque
        ("<nowiki>-{a}-</nowiki>-{b}-", "zh", "<nowiki>-{a}-</nowiki>b"),
        # other languages
        ("-{sr-ec:час;sr-el:čas}-", "sr", "час"),
        ("-{sr-ec:час;sr-el:čas}-", "sr-el", "čas"),
        ("-{sr-Cyrl:час;sr-Latn:čas}-", "sr-el", "čas"),
        ("-{kk-cyrl:тіл;kk-latn:til}-", "kk", "тіл"),
        ("-{uz-latn:til;uz-cyrl:тил}-", "", "til"),
    ],
)
def test_marks(source: str, language: str, shown: str) -> None:
    assert resolve_variants(source, language) == shown


pieces = st.sampled_from(["-{", "}-", "{{", "}}", ";", "|", ":", "=>", "zh-hans", "zh-tw", "A", "甲", "<nowiki>", "\n"])


@settings(max_examples=500, deadline=None)
@given(st.lists(pieces, max_size=40).map("".join), st.sampled_from(["", "zh", "zh-tw", "sr"]))
def test_any_text_is_accepted_and_never_grows(text: str, language: str) -> None:
    assert len(resolve_variants(text, language)) <= len(text)


def test_many_open_marks_are_linear() -> None:
    # Every open mark keeps the pieces before it: were their number not bounded, this would not end.
    assert resolve_variants("-{甲" * 200_000 + "}-").count("甲") == 200_000
