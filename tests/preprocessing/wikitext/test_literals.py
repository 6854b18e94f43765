"""What `<nowiki>` holds is text for every later step; objects are named; the page's own control characters are not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.wikitext import Site, WikitextOptions, extract
from preprocessing.wikitext.literals import APOSTROPHE, literal, reveal, shield_edges, without_own_characters

OPTIONS = WikitextOptions(keep_lists=True)


def shown(wikitext: str) -> str:
    return "|".join(extract(wikitext, OPTIONS, Site()).paragraphs)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("<nowiki>[[dog]] =x=</nowiki>", "[[dog]] =x="),
        ("<nowiki>=title=</nowiki>", "=title="),
        ("<nowiki>== title ==</nowiki>", "== title =="),
        ("a <nowiki>''b'' '''c'''</nowiki> ''d''", "a ''b'' '''c''' d"),
        ("<nowiki>* a</nowiki>", "* a"),
        ("<nowiki>#</nowiki> a", "# a"),
        ("<nowiki>:</nowiki>a<nowiki>;</nowiki>", ":a;"),
        ("<nowiki>----</nowiki> a", "---- a"),
        ("<nowiki>{| x |}</nowiki>", "{| x |}"),
        ("<nowiki>{{a|b}} {{{c}}}</nowiki>", "{{a|b}} {{{c}}}"),
        ("<nowiki><ref>a</ref> <b>b</b></nowiki>", "<ref>a</ref> <b>b</b>"),
        ("<nowiki>-{zh-hans:a}-</nowiki>", "-{zh-hans:a}-"),
        ("<nowiki>__TOC__</nowiki> a", "__TOC__ a"),
        ("<nowiki>(, a)</nowiki>", "(, a)"),
        ("<nowiki><!-- a --></nowiki>", "<!-- a -->"),
        ("<nowiki>http://x.org [http://x.org y]</nowiki>", "http://x.org [http://x.org y]"),
        ("<nowiki>a &lt; b &amp;nbsp; c &#91;</nowiki>", "a < b &nbsp; c ["),
        ("<nowiki>&amp;lt;</nowiki>", "&lt;"),
        ("<nowiki>a\n\n* b</nowiki>", "a * b"),
        ("<NoWiki >[[a]]</NOWIKI>", "[[a]]"),
        ('<nowiki class="x">[[a]]</nowiki >', "[[a]]"),
        ("<nowiki></nowiki>a", "a"),
        # inside others
        ("[[a|<nowiki>''b''|c]]</nowiki>]]", "''b''|c]]"),
        ("{{nowrap|<nowiki>a|b}}</nowiki>}}", "a|b}}"),
        ("{{unknown|<nowiki>}}</nowiki>}}a", "a"),
        ("{{lang|fr|<nowiki>x=y</nowiki>}}", "x=y"),
        ("[http://x.org <nowiki>a]b</nowiki>]", "a]b"),
        # as a breaker
        ("a '<nowiki/>''b''", "a 'b"),
        ("<nowiki/>* a", "* a"),
        ("a[<nowiki/>[b]<nowiki/>]", "a[[b]]"),
        ("[[bus]]<nowiki />es", "buses"),
        # never closed: no tag at all
        ("<nowiki>[[a]] b", "a b"),
    ],
)
def test_nowiki_is_opaque(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("The area <math>\\pi r^2</math> is: <math>A</math>, and", "The area formula is: formula, and"),
        ("let <math>n</math>-th and 2<math>x</math>y", "let formula-th and 2 formula y"),
        ("设<math>x</math>为", "设 formula 为"),
        ("<math>a</math><math>b</math> x", "formula formula x"),
        ("of <ce>H2O</ce> and <chem>NaCl</chem>.", "of formula and formula."),
        ("the word <hiero>A1</hiero> means", "the word hieroglyphs means"),
        ("as in <score>c d e</score>.", "as in score."),
        ("<MATH display=block>[[x]] {{y</MATH> z", "formula z"),
        # a formula that stands alone is no text
        ("a\n\n<math>x</math>\n\n:<math>y</math>, <math>z</math>.\nb", "a|b"),
        # references leave nothing, nor do other objects
        ("a<ref>b</ref>, c<timeline>d</timeline>.", "a, c."),
        # never closed: its text is kept
        ("<math>x + y", "x + y"),
    ],
)
def test_objects_in_a_sentence_are_named(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


def test_formulas_are_counted() -> None:
    page = extract("a <math>x</math> b <math>yy</math> <ce>z</ce>", OPTIONS, Site())
    assert page.lost_templates == {"<math>": len("<math>x</math><math>yy</math>"), "<ce>": len("<ce>z</ce>")}


def test_control_characters_of_the_page_become_no_marks() -> None:
    own = "".join(map(chr, [*range(1, 9), *range(0x0E, 0x1C)]))
    assert shown(f"a{own}b <nowiki>[[c]]</nowiki> <math>x</math>") == "ab [[c]] formula"


@pytest.mark.parametrize(
    ("text", "shielded"),
    [
        ("'a", f"{APOSTROPHE}a"),
        ("a'", f"a{APOSTROPHE}"),
        ("'", APOSTROPHE),
        ("'s 'b'", f"{APOSTROPHE}s 'b{APOSTROPHE}"),
        ("''a''", "''a''"),
        ("'''a'", f"'''a{APOSTROPHE}"),
        ("a'b", "a'b"),
        ("", ""),
    ],
)
def test_single_apostrophes_at_the_edges_are_shielded(text: str, shielded: str) -> None:
    assert shield_edges(text) == shielded
    assert reveal(shielded) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("''Eagle''{{'s}} orbit", "Eagle's orbit"),
        ("''[[dogs|the dogs']]'' and ''[[x]]''", "the dogs' and x"),
        ("[['t Hooft]]''a''", "'t Hoofta"),
        ("''<b>''a''</b>'' ''</math>''b", "a b"),
        ("''{{x}}''a ''[[File:b.png]]'' ''<ref>c</ref>''", "a"),
    ],
)
def test_marks_of_italics_join_nothing_around_them(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=60))
def test_a_literal_is_revealed_as_it_was(text: str) -> None:
    if "&" not in text:
        assert reveal(literal(text)) == " ".join(text.split())
    assert without_own_characters(text) == text
