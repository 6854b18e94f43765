"""Tags and powers as MediaWiki reads them."""

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
        ('a<ref/>b<ref name="x/">c</ref>d<ref name=e/f>g</ref>h', "abdh"),
        ("a<ref>b <br/> c <nowiki></ref></nowiki></ref >d</ref>e", "ade"),
        ("''a''<ref>''b'' c</ref>''d'' and a'<ref name=b/>'c", "ad and a''c"),
        ("a<ref>b<ref>c</ref>d <ref\nname=e>f</ref\n>g", "ad g"),
    ],
)
def test_tags(wikitext: str, text: str) -> None:
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
        ("2<sup>2<sup>3</sup></sup> 2{{sup|2{{sup|3}}}}", "2^2^3 2^2^3"),
        ("a<sup>{{x}}</sup> b<sup><ref>c</ref></sup> <sup>2</sup>", "a b 2"),
        ("z<sup>''n''{{x}}</sup> z<sup>2<ref>a</ref></sup>", "z^n z^2"),
        # templates that raise are read as the tag is
        ("10{{sup|6}} x{{sup|''n''}} 2{{sup|n}} m{{sup|&minus;1}} {{nowrap|10{{sup|6}}}}", "10^6 x^n 2^n m^−1 10^6"),
        ("{{sup|14}}C 2{{sup|nd}} a{{sup|[1]}} 2{{sup|{{nowrap|10}}}} 5d{{sup|10}}6s", "14C 2nd a[1] 2^10 5d^10 6s"),
        # fractions
        ("5<sup>1</sup>/<sub>2</sub> 5<sup>1</sup>⁄<sub>2</sub> <sup>1</sup>/<sub>2</sub>", "5 1/2 5 1⁄2 1/2"),
    ],
)
def test_powers(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text
