"""Any text terminates, costs linear work, and leaves no markup."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.wikitext import Site, WikitextOptions, extract
from preprocessing.wikitext.names import words
from preprocessing.wikitext.rendering import DEPTH_LIMIT
from preprocessing.wikitext.scanner import FAILURE_LIMIT

OPTIONS = WikitextOptions(keep_lists=True)
SITE = Site()
MARKUP = re.compile(r"\{\{|\}\}|\[\[|\]\]|<ref|''|\{\|", re.IGNORECASE)
FRAGMENTS = words(
    "{{ }} [[ ]] [ ] { } | {| |} ''' '' = == <ref> </ref> <ref/> <nowiki> </nowiki> <!-- --> <table> </table> <math> "
    "</math> <br> <sup> {{nowrap| {{convert|1|km}} {{infobox {{formatnum: [[File:a|b [[a|b]] [[fr:c]] [http://a.b c] "
    "&lt; &nbsp; &#91; -{ }- __TOC__ ( ) ; : , * # ---- word 10"
)
wikitext = st.lists(st.sampled_from([*sorted(FRAGMENTS), "\n", " ", "\u00a0", "é"]), max_size=60).map("".join)


def work(text: str) -> int:
    return extract(text, OPTIONS, SITE).steps


@settings(max_examples=400, deadline=None)
@given(wikitext)
def test_no_text_raises_or_leaves_markup(text: str) -> None:
    for paragraph in extract(text, OPTIONS, SITE).paragraphs:
        assert paragraph == paragraph.strip()
        assert "\n" not in paragraph
        if "&" in text or "</nowiki>" in text:  # &#91; is the bracket itself, not markup, nor is what nowiki holds
            continue
        if "''" not in text:
            assert not MARKUP.search(paragraph)
        elif "'''" not in text:  # of four apostrophes the first is text, so that two may be left: ''''a''
            # Brackets that only apostrophes keep apart are text, in MediaWiki too: [''[a.
            assert "''" not in paragraph


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_characters_are_accepted(text: str) -> None:
    assert all(extract(text, OPTIONS, SITE).paragraphs)


@settings(max_examples=200, deadline=None)
@given(wikitext)
def test_work_is_bounded_by_the_length(text: str) -> None:
    # One visit by the reader, one by each search that succeeds, one by each of the few that may fail.
    assert work(text) <= (FAILURE_LIMIT + 2) * (len(text) + 1)


NESTED = {
    "templates, open": ("{{", ""),
    "templates, closed": ("{{", "}}"),
    "templates with names": ("{{a|", "}}"),
    "rendered templates": ("{{nowrap|x", "}}"),
    "rendered templates, open": ("{{nowrap|x", ""),
    "links": ("[[a|", "]]"),
    "files": ("[[File:a|", "]]"),
    "files, open": ("[[File:a|", ""),
    "tables": ("\n{|\n|", ""),
    "tables, closed": ("\n{|\n|", "\n|}"),
    "references": ("<ref>", ""),
    "HTML tables": ("<table>", ""),
    "unlike marks": ("{{[[{|<ref>", ""),
    "comments": ("<!--", ""),
    "parameters": ("{{{", "}}}"),
    "braces in nowiki": ("{{a<nowiki>{{", ""),
}


@pytest.mark.parametrize(("opening", "closing"), NESTED.values(), ids=NESTED.keys())
def test_deep_nesting_is_linear(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        return opening * depth + closing * depth

    work_of_half, work_of_whole = work(nested(50_000)), work(nested(100_000))
    assert work_of_whole <= 2.05 * work_of_half + 100
    assert work_of_whole <= len(nested(100_000))


def test_text_inside_deep_templates_is_not_copied_at_every_level() -> None:
    depth = 2_000
    text = "{{nowrap|x" * depth + "}}" * depth
    shown = extract(text, OPTIONS, SITE)
    assert shown.paragraphs == ["x" * DEPTH_LIMIT]
    assert sum(shown.lost_templates.values()) == (depth - DEPTH_LIMIT) * len("{{nowrap|x}}")
