"""Character references: what they stand for, and what is none."""

import pytest

from preprocessing.wikitext.entities import decode


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("&#100;&#x6F;&#X6f;r", "door"),
        ("s&#00000117;n, s&#x0000000075;n", "sun, sun"),
        ("&ndash;&#8211;&#x2013;", "–––"),
        ("a&nbsp;b&#160;c&#xA0;d&thinsp;e&#9;f", "a b c d e f"),
        ("soft&shy;ly, soft&#173;ly, soft&#xad;ly", "softly, softly, softly"),
        ("&rlm;|&רלמ;|&رلم;", "\u200f|\u200f|\u200f"),
        ("می&zwnj;خواهم", "می\u200cخواهم"),
        # decoded once
        ("&amp;nbsp; &amp;lt;b&amp;gt;", "&nbsp; &lt;b&gt;"),
        # none: no semicolon, no digit, no such name, no such character
        ("AT&T; R&D, a&b; &amp &#65 &#; &#x; &#xg; &#1a;", "AT&T; R&D, a&b; &amp &#65 &#; &#x; &#xg; &#1a;"),
        ("&#0; &#000; &#x0; &#1; &#31;", "&#0; &#000; &#x0; &#1; &#31;"),
        ("&#127; &#128; &#x9f;", "&#127; &#128; &#x9f;"),
        ("&#xD800; &#xDFFF; &#xFFFE; &#x110000; &#9999999;", "&#xD800; &#xDFFF; &#xFFFE; &#x110000; &#9999999;"),
        ("&#99999999999999999999;", "&#99999999999999999999;"),
        ("&#x10FFFF; &#128512;", "\U0010ffff 😀"),
    ],
)
def test_references(source: str, shown: str) -> None:
    assert decode(source) == shown
