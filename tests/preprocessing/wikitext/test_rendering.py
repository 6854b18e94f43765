"""Tags, links, tables and powers as MediaWiki reads them."""

import pytest

from preprocessing.wikitext import Site, WikitextOptions, extract

OPTIONS = WikitextOptions(keep_lists=True)


def shown(wikitext: str) -> str:
    return "|".join(extract(wikitext, OPTIONS, Site()).paragraphs)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        # names of tags that MediaWiki does not know are text
        ("where <u,v> is an edge and <b,c> too", "where <u,v> is an edge and <b,c> too"),
        ("a <p-value> below 5", "a <p-value> below 5"),
        ("the <stdio.h> of <vector> and <T extends U>", "the <stdio.h> of <vector> and <T extends U>"),
        ('a <a href="x">b</a> <thead>c', 'a <a href="x">b</a> <thead>c'),
        ("a <br.> <i2> <s_1> b", "a <br.> <i2> <s_1> b"),
        # what is no tag
        ("x <s y, a<b and c>d, <3, <-, 1<2>0, </ >", "x <s y, ad, <3, <-, 1<2>0, </ >"),
        ("a <b", "a <b"),
        ("< b>a</ b>", "< b>a</ b>"),
        # tags
        ("<B>a</B> <SPAN CLASS=x>b</Span>", "a b"),
        ('<span title="a > b">c</span>', "c"),
        ("a<br clear=all>b<br/>c<BR />d</br>e<br\n/>f", "a b c d e f"),
        ('<div class="x>y</div>', "y"),
        ("<i>a<b>b</i> c", "ab c"),
        ("<div>a</div><div>b</div>", "a|b"),
        ("<p>a<p>b", "a|b"),
        ("<h2>title</h2>a<H3 id=x>title <i>b</i></H3>c", "a|c"),
        ("<h2>a", "a"),
        ("<ul><li>a<li>b</ul>", "a|b"),
        ("<s>a</s><del>b</del><ins>c</ins><q>d</q><kbd>e</kbd>", "abcde"),
        ('<section begin="x" />a<section end="x" />', "a"),
        ("<langconvert from='zh-hans' to='zh-hant'>爱</langconvert>", "爱"),
        ("<noinclude>a</noinclude><includeonly>b</includeonly><onlyinclude>c</onlyinclude>", "ac"),
        ("super<wbr>man super<wbr />man", "superman superman"),
        ("<ruby>漢<rt>かん</rt></ruby> <ruby>字<rp>(</rp><rt>じ</rt><rp>)</rp></ruby>", "漢(かん) 字(じ)"),
        # references
        ('a<ref name="b>c">d</ref>e<ref name=f/>g<ref group="h" name="i" />j', "aegj"),
        ("a<ref>b<!-- </ref> -->c</ref>d", "ad"),
        ("a<REF>b</ReF >c<references group=x>d</references>e<references/>", "ace"),
        ("a <ref>x</ref>, b <ref name=y/>. c", "a, b. c"),
    ],
)
def test_tags(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


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
        ("10<sup>6</sup> 10<sup>''9''</sup> 10<sup>−3</sup> 10<sup>-3</sup>", "10^6 10^9 10^−3 10^-3"),
        ("10<sup>&minus;3</sup> 10<sup>{{minus}}3</sup> 3×10<SUP>4</SUP>", "10^−3 10^−3 3×10^4"),
        (
            "x<sup>2</sup> ''x''<sup>2</sup> km<sup>2</sup> (a+b)<sup>3</sup> [[metre|m]]<sup>2</sup>",
            "x^2 x^2 km^2 (a+b)^3 m^2",
        ),
        ("Ca<sup>2+</sup> s<sup>−1</sup>", "Ca^2+ s^−1"),
        ("2<sup>''n''</sup> x<sup>''n''</sup> 2<sup>n</sup> e<sup>''ix''</sup>", "2^n x^n 2^n e^ix"),
        # raised text that is no power
        (
            "n<sup>th</sup> 1<sup>st</sup> 2<sup>nd</sup> XIX<sup>e</sup> 1<sup>er</sup> M<sup>me</sup>",
            "nth 1st 2nd XIXe 1er Mme",
        ),
        ("a <sup>14</sup>C b<sup>[1]</sup> c<sup>''see below''</sup>", "a 14C b[1] csee below"),
        ("2<sup>next</sup>", "2next"),
        ("H<sub>2</sub>O x<sub>1</sub> SO<sub>4</sub><sup>2−</sup>", "H2O x1 SO4^2−"),
        # whatever marks the raised text holds, and what follows it
        (
            "10<sup>[[six|6]]</sup> 10<sup>{{nowrap|7}}</sup> 2<sup><i>8</i></sup> {{nowrap|10<sup>9</sup>}}",
            "10^6 10^7 2^8 10^9",
        ),
        ("10<sup>{{nowrap|[[x|7]]}}</sup> e<sup>−''x''</sup> 2<sup>''n''+1</sup>", "10^7 e^−x 2^n+1"),
        ("n<sup>''th''</sup> 2<sup>'''nd'''</sup> a<sup>''and b''</sup>", "nth 2nd aand b"),
        ("5d<sup>10</sup>6s<sup>1</sup>", "5d^10 6s^1"),
        ("10<sup>6<sup> x", "10^6 x"),
        ("a<sup>{{x}}</sup> b<sup><ref>c</ref></sup> <sup>2</sup>", "a b 2"),
        # fractions
        ("5<sup>1</sup>/<sub>2</sub> 5<sup>1</sup>⁄<sub>2</sub> <sup>1</sup>/<sub>2</sub>", "5 1/2 5 1⁄2 1/2"),
    ],
)
def test_powers(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("(born {{x}}; died)", "(born ; died)"),
        ("a ({{x}}) b ({{x}}, {{y}}) c ({{x}}; d) e", "a b c (d) e"),
        ("a (''{{x}}'') b (''{{x}}'', ''c'')", "a b (c)"),
        ("a (<ref>x</ref>) b ([[File:a.png]]) c", "a b c"),
        ("東京（{{x}}）は（{{x}}、大阪）", "東京は（大阪）"),
        # brackets that nothing was taken from
        ("f() and g( ) and (, ) and （）", "f() and g( ) and (, ) and （）"),
        ("a , b . c", "a , b . c"),
    ],
)
def test_what_is_empty_around_a_gap_goes(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text
