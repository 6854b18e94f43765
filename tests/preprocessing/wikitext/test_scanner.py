"""Comments go before anything is read; ends of regions are found past what hides marks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.wikitext.scanner import FAILED, Scanner, without_comments


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("a<!-- b -->c", "ac"),
        ("a<!---->b<!-->-->c", "abc"),
        ("[[a<!-- | -->b|c]]", "[[ab|c]]"),
        ("{{na<!-- x -->me|1<!-- }} -->2}}", "{{name|12}}"),
        ("<re<!-- x -->f>y</ref>", "<ref>y</ref>"),
        ("== a == <!-- x -->\nb", "== a == \nb"),
        ("*<!-- x -->* a", "** a"),
        ("'<!-- x -->'a'<!-- y -->'", "''a''"),
        ("a -- > b <!- c ->", "a -- > b <!- c ->"),
        # alone on lines, they take the lines with them
        ("a\n<!-- x -->\nb", "a\nb"),
        ("a\n \t<!-- x --> \nb", "a\nb"),
        ("a\n<!-- x --> <!-- y -->\nb", "a\nb"),
        ("a\n<!-- x\ny -->\n<!-- z -->\nb", "a\nb"),
        ("<!-- x -->\na", "a"),
        ("a\n\n<!-- x -->\n\nb", "a\n\n\nb"),
        # not alone
        ("a\n<!-- x --> b\nc", "a\n b\nc"),
        ("a\n<!-- x --><!-- y -->b", "a\nb"),
        ("a <!-- x -->\nb", "a \nb"),
        ("a <!-- x\n-->\nb", "a \nb"),
        ("a\n<!-- x -->", "a\n"),
        # never closed
        ("a <!-- b", "a "),
        ("a <!-- b -- > c\nd", "a "),
        # text inside tags that hide marks
        ("<nowiki><!-- a --></nowiki><!-- b -->", "<nowiki><!-- a --></nowiki>"),
        ("<PRE><!-- a --></pre ><!-- b -->", "<PRE><!-- a --></pre >"),
        ("<math display=inline><!-- a --></math>", "<math display=inline><!-- a --></math>"),
        ("<nowiki/><!-- a -->b", "<nowiki/>b"),
        ("<nowiki><!-- a -->b", "<nowiki>b"),
        ("<!-- <nowiki> --> a <!-- </nowiki> -->", " a "),
    ],
)
def test_comments(source: str, kept: str) -> None:
    assert without_comments(source) == kept


fragments = ["<!--", "-->", "<nowiki>", "</nowiki>", "<math>", "a", "\n", " ", "<", "--"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(fragments), max_size=40).map("".join))
def test_what_is_kept_is_part_of_the_text_in_order(text: str) -> None:
    rest = iter(text)
    kept = without_comments(text)
    assert all(character in rest for character in kept)
    if not any(f"<{name}" in text for name in ("nowiki", "math")) and "<!--" in text:
        assert len(kept) < len(text)


@pytest.mark.parametrize(
    "opening", ["<!-- a --> ", "<!-- a -->\n", "b<!--a-->", "<nowiki><!--a-->", "<nowiki>", "\n <!--"]
)
def test_many_comments_are_linear(opening: str) -> None:
    assert len(without_comments(opening * 100_000)) <= len(opening) * 100_000


def test_a_bracket_closes_on_its_line_only() -> None:
    text = "a ] b\nc d\ne ]"
    scanner = Scanner(text)
    assert [scanner.closes_on_line(position) for position in (0, 2, 3, 6, 10)] == [True, True, False, False, True]
    assert not Scanner("").closes_on_line(0)


def test_ends_are_found_past_opaque_content() -> None:
    text = "{{a|<nowiki>}}</nowiki>|<math>}}</math>}} b"
    assert Scanner(text).after_template(0) == text.index(" b")
    assert Scanner("{{a|<nowiki>}}</nowiki>").after_template(0) == FAILED
    table = "{|\n| <pre>\n|}</pre>\n{{{!}}\n{{!}}}\n|}\nb"
    assert Scanner(table).after_table(0) == table.index("\nb")
