"""Comments, CDATA sections and references of a dump's text."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.sources.wikipedia import xml_text
from preprocessing.sources.wikipedia.xml_text import MalformedTextError, decode_text, without_comments


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (b"a<!-- b -->c", b"ac"),
        (b"a<!-->b-->c", b"ac"),
        (b"a<![CDATA[<b> & ]]>c", b"a&lt;b&gt; &amp; c"),
        (b"<![CDATA[<!-- x -->]]>", b"&lt;!-- x --&gt;"),
        (b"<!-- <![CDATA[ -->a]]>", b"a]]>"),
        (b"a<!-- b", b"a<!-- b"),
        (b"a<![CDATA[ b <!-- c -->d", b"a<![CDATA[ b d"),
        (b"a<!-- b <![CDATA[c]]>", b"a<!-- b c"),
        (b"<!DOCTYPE x><!---->y", b"<!DOCTYPE x>y"),
    ],
)
def test_what_is_left(raw: bytes, plain: bytes) -> None:
    assert without_comments(raw) == plain


@given(st.lists(st.sampled_from([b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<!", b"-", b">", b"a", b"&"])).map(b"".join))
def test_as_one_expression_reads_it(raw: bytes) -> None:
    def plain(match: re.Match[bytes]) -> bytes:
        return (match[1] or b"").replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")

    expected = re.sub(rb"(?s)<!--.*?-->|<!\[CDATA\[(.*?)\]\]>", plain, raw)
    assert without_comments(raw) == expected


@pytest.mark.parametrize("mark", [b"<!--", b"<![CDATA["])
def test_marks_that_are_never_closed_are_searched_once(mark: bytes) -> None:
    class Counted(bytes):
        searched = 0

        def find(self, *arguments) -> int:  # type: ignore[no-untyped-def, override]
            found = super().find(*arguments)
            Counted.searched += (found if found >= 0 else len(self)) - arguments[1]
            return found

    raw = Counted(mark * 2000)
    assert without_comments(raw) == raw
    assert 0 < Counted.searched < 4 * len(raw)


_REFERENCES = [b"&lt;", b"&gt;", b"&amp;", b"&quot;", b"&apos;", b"&#65;", b"&#x3c;", b"&nbsp;", b"&", b"&lt", b"&quo;"]
_OTHERS = [b"lt;", b"amp;", b"quot;", b";", b"<", b"\0", b"\r\n", b"a", b"\xc3\xa9", b"\xc3", b"&quit;", b"&ampx"]


@given(st.lists(st.sampled_from(_REFERENCES + _OTHERS), max_size=6).map(b"".join))
def test_the_quick_way_says_what_the_other_says(raw: bytes) -> None:
    def outcome(read: Callable[[bytes], str]) -> str:
        try:
            return f"text {read(raw)!r}"
        except MalformedTextError as error:
            return f"error {error}"

    assert outcome(decode_text) == outcome(xml_text._decode_any)


def test_what_is_expanded_is_not_expanded_again() -> None:
    assert decode_text(b"&amp;lt; &amp;amp; &lt;&gt;&quot;&apos;&amp;") == "&lt; &amp; <>\"'&"
