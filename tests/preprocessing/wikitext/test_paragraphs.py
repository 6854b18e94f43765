"""What belongs to lines: headings, rules, lists, switches."""

import pytest

from preprocessing.wikitext import Site, WikitextOptions, extract

OPTIONS = WikitextOptions(keep_lists=True)


@pytest.mark.parametrize(
    ("wikitext", "wanted"),
    [
        ("a\n---- Foo\nb", ["a", "Foo b"]),
        ("---- Foo", ["Foo"]),
        ("a\n--------\nb", ["a", "b"]),
        ("a\n--- b", ["a --- b"]),
        ("a\n-- b", ["a -- b"]),
        ("a\n== b ==\nc", ["a", "c"]),
        ("a\n== b == <!-- x --> \nc", ["a", "c"]),
        ("a\n=b=\n== c = d ==\n===\ne", ["a", "e"]),
        ("a\n== b\nc =\nd ==", ["a == b c = d =="]),
        ("a\n==\nb", ["a == b"]),
        ("a\n== <nowiki>=</nowiki> ==\nb", ["a", "b"]),
        ("''== a ==''", ["== a =="]),
        ("'''* a'''", ["* a"]),
        (";term:def", ["term: def"]),
        ("; term : def : more", ["term: def : more"]),
        (";see http://x.org : def", ["see http://x.org: def"]),
        ("*a\n**b\n#c\n:d\n*:e\n*#;f:g", ["a", "b", "c", "d", "e", "f: g"]),
        ("* ''a'\n* b''", ["a'", "b"]),
        ("'''a\nb'''s ''c'''", ["a bs c"]),
        (" a\nb", ["a b"]),
        ("''a''<ref>x</ref>''b'' '{{x}}''c'' ''{{x}}'' ''[[File:d]]''", ["ab 'c"]),
        ("{{x}}* a\n{{x}}== b =={{y}}\nc", ["a", "c"]),
        ("a\n {{x}} \nb\n{{x}}\nc", ["a", "b", "c"]),
        ("__NOTOC__a __notoc__b __NoToc__c __TOC__", ["a b c"]),
        ("__HIDDENCAT__a __hiddencat__ __index__ __init__ __name__", ["a __hiddencat__ __index__ __init__ __name__"]),
        ("__EXPECTUNUSEDTEMPLATE__ a __NOCC__ b __noteditsection__", ["a b __noteditsection__"]),
        ("&#42; a\n&#61;b&#61;\n&#58;c", ["* a =b= :c"]),
        ("&lt;ref&gt;a&lt;/ref&gt; &#91;&#91;b&#93;&#93; &#123;&#123;c}} &#39;&#39;d", ["<ref>a</ref> [[b]] {{c ''d"]),
    ],
)
def test_lines(wikitext: str, wanted: list[str]) -> None:
    assert extract(wikitext, OPTIONS, Site()).paragraphs == wanted
