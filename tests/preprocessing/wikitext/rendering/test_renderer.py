"""Links, tables and templates as MediaWiki reads them."""

import pytest

from preprocessing.wikitext import Site, WikitextOptions, extract

OPTIONS = WikitextOptions(keep_lists=True)


def shown(wikitext: str) -> str:
    return "|".join(extract(wikitext, OPTIONS, Site()).paragraphs)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("[[bus]]es and [[a|b]]c", "buses and bc"),
        ("[[a|b|c]]", "b|c"),
        ("{{nowrap|[[a|b|c]]}}", "b|c"),
        ("{{nowrap|[[a|b {{lang|fr|x}}|c]] d}}", "b x|c d"),
        ("[[a{{!}}b]] [[a{{!}}''b'']]", "b b"),
        ("[[a|b{{!}}c]]", "b|c"),
        ("[[File:a.jpg|thumb<!-- x -->|caption]]b", "b"),
        ("[[File:a.jpg{{!}}thumb{{!}}[[b]]]]c", "c"),
        ("[[File:{{x}}.jpg|thumb|a [[b]]]]c", "c"),
        ("[[Category:{{PAGENAME}}|x]]a", "a"),
        # titles with something nested
        ("[[Battle of {{x}}|the battle]] b", "the battle b"),
        ("[[{{nowrap|A}} B|c]] d", "c d"),
        ("[[{{nowrap|A}} B]] d", "A B d"),
        ("{{nowrap|[[a {{x}}|b]]}} c", "b c"),
        ("[[a <i>b</i>|c]] d", "c d"),
        ("[[a {{x}}\nb|c]] d", "a b|c d"),
        ("[[a {{nowrap|b|c}}]] d", "a b d"),
        # apostrophes of titles are text, those of labels are their own
        ("[[Rock 'n'' Roll]] a", "Rock 'n'' Roll a"),
        ("[[x|''a''']]'s", "a''s"),
        ("''[[x|''a'']]''s", "as"),
        # no list, heading or rule begins in a link
        ("[[*]] is a sign", "* is a sign"),
        ("[[x|#1]] is it\n[[-]] too [[-]]", "#1 is it - too -"),
        ("[[#part]]", "#part"),
        # lines
        ("[[a\nb]] c", "a b c"),
        ("[[a|b\nc]] d", "b c d"),
        ("[[]] [[|a]] [[a|]]", "a a"),
        ("[[:File:A.jpg]] [[:File:A.jpg|b]] [[:fr:c]]", "File:A.jpg b fr:c"),
        # nested
        ("[[a|b [[c|d]] e]] f", "b d e f"),
        ("[[File:A|[[File:B|c]] [http://d e]]]f", "f"),
        ("[[a [[b]] c", "a b c"),
        ("[[[a]]]", "[a]"),
        # an address in double brackets
        ("see [[http://example.org the site]] b", "see [the site] b"),
        ("see [[https://example.org]] b", "see [] b"),
    ],
)
def test_links(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("[http://x.org/a''Los olvidados'' de]", "Los olvidados de"),
        ("[http://x.org/it's_a?b='c' label] d", "label d"),
        ("[http://x.org] a [http://x.org ] b", "a b"),
        ("[//x.org a] [HTTPS://x.org b] [ftp://x.org c] [ircs://x.org d]", "a b c d"),
        ("[mailto:a@b.org e] [news:a.b f] [tel:+1-2 g] [urn:isbn:1 h]", "e f g h"),
        ('[http://x.org"quoted" a]', '"quoted" a'),
        ("[http://[2001:db8::1]:80/a label]", "label"),
        ("[http://x.org/{{x|y}}/z label] a", "label a"),
        ("[http://x.org a {{lang|fr|b}} ''c'' [[d|e]]] f", "a b c e f"),
        ("[http://x.org [a]] b", "[a] b"),
        ("[http://x.org a [[b]]] c", "a b c"),
        ("http://x.org/a_(b) is bare, as is [c]", "http://x.org/a_(b) is bare, as is [c]"),
        # no links
        ("[http://x.org a\nb] c", "[http://x.org a b] c"),
        ("[http://x.org never closed", "[http://x.org never closed"),
        ("[http:// a] [// b] [//] [www.x.org c]", "[http:// a] [// b] [//] [www.x.org c]"),
        ("[note] a[1] [a|b]", "[note] a[1] [a|b]"),
    ],
)
def test_external_links(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("a\n{|\n! b\n! c !! d\n|-\n| e || f\n|+ g\n|}\nh", "a|h"),
        ("{| class=x\n|-\n! colspan=2 | ''b''\n|\n* c\n== d ==\n|}e", "e"),
        ("{|\n|\n  {|\n  ! a\n  |}\n| b\n|}\nc", "c"),
        ("::{|\n! a\n|}\nc", "c"),
        ("{{{!}} class=x\n! a\n{{!}} b\n{{!}}}\nc", "c"),
        ("{{(!}} class=x\n! a\n{{!}} b\n{{!)}}\nc", "c"),
        ("{{quote|a\n{|\n! b\n| c\n|}\nd}}", "a|d"),
        # rows outside of any table are text
        ("|foo", "|foo"),
        ("a\n| b || c\nd", "a | b || c d"),
        ("! foo", "! foo"),
        ("!! foo", "!! foo"),
        ("|- foo", "|- foo"),
        # a table that never ends: its rows go, what is behind them stays
        ("{| class=x\n! a\n| b\n|-\n\nc\n| d\ne", "c|e"),
        ("a {| b", "a b"),
    ],
)
def test_tables(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        # an equals sign that is not in the source of the template parts no name from a value
        ("{{lang|fr|x{{=}}y}}", "x=y"),
        ("{{nowrap|{{math|1=E = mc}} holds}}", "E = mc holds"),
        ("{{nowrap|[[x|E=mc]] holds}}", "E=mc holds"),
        ("{{nowrap|[[E=mc]] {{lang|fr|2=a=b}}}}", "E=mc a=b"),
        ("{{lang|fr|2={{nowrap|1=a=b}}}}", "a=b"),
        ("{{nowrap|x=y}} z", "z"),
        # parameters in what is skipped
        ("a {{x|{{{1|}}}}} b {{x|{{{y}}}|{{z}}}} c", "a b c"),
        # marks of italics in a template join none around it
        ("''n''{{sup|''th''}} {{lang|fr|''a''}}''b'' ''a''{{nowrap|''b'' {{nowrap|c}}}}", "nth ab ab c"),
        # a pipe from a template parts no arguments
        ("{{lang|fr|a{{!}}b}}", "a|b"),
    ],
)
def test_templates(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


def test_a_heading_in_nested_templates_is_one() -> None:
    assert shown("{{nowrap|1={{nowrap|1=a\n== b ==\nc}}}}") == "a|c"
