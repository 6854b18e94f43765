"""Real markup, cut, flipped and spliced: nothing raises, work stays linear, and what is shown is text."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.wikitext import Site, WikitextOptions, extract
from preprocessing.wikitext.scanner import FAILURE_LIMIT

OPTIONS = WikitextOptions(keep_lists=True)
SITE = Site()
GOLDEN = [page.read_text(encoding="utf-8") for page in sorted((Path(__file__).parent / "golden").glob("*.wikitext"))]
SNIPPETS = [
    "The '''Danube''' is a [[river]] in ''Europe''.<ref name=\"a\">{{cite web|url=http://x.org|title=Y}}</ref>\n\n",
    "{{Infobox river\n| name = Danube\n| length = {{convert|2850|km|mi}}\n}}\n",
    "[[File:Danube.jpg|thumb|left|The [[Danube]] at [http://x.org night]<!-- check -->]]\n",
    "== Course ==\n{{main|Course of the Danube}}\nIt flows for {{convert|2850|km|mi|abbr=on}}.\n",
    '{| class="wikitable"\n|+ Towns\n|-\n! Name !! Height\n|-\n| Ulm || 478 m\n{|\n| nested\n|}\n|}\n',
    "* [[Ulm]] ([[Germany|DE]])\n** ''Passau'''s bridge\n# one\n; term : meaning\n:: indented\n----\n",
    "l'''eau'' et l''''air''' 10<sup>''6''</sup> km<sup>2</sup> H<sub>2</sub>O\n",
    "where <math>x^2 < y</math> is: <math>\\{[[z]]\\}</math>, and <ce>H2O</ce>\n",
    "<nowiki>[[no]] ''link'' {{x}} <!-- y --></nowiki> and <nowiki/> <pre>{{p}}</pre>\n",
    "-{zh-hans:计算机;zh-hant:電腦}-和-{A|zh-cn:甲;zh-tw:乙}-{{nowrap|-{H|zh-tw:丙}-}}\n",
    "[http://x.org/a''Title'' b] [//y.org] [mailto:a@b.c d] http://z.org [[http://x.org y]]\n",
    "a&nbsp;b &lt;c&gt; &#x0041; &#99999999; &amp;amp; &bogus; if <u,v> < 3\n",
    "<gallery>\nA.jpg|[[b]]\n</gallery><poem>\none\ntwo\n</poem><br/><div style='x>y'>d</div><h2>t</h2>\n",
    "{{{!}} class=x\n! a\n{{!}} b\n{{!}}}\n[[a{{!}}b]] [[x {{y}}|z]] {{#if:a|b}} {{{1|c}}} __NOTOC__\n",
    "text <!-- one\n--> more\n<!-- alone -->\n<ref>never closed\n",
]
PIECES = re.compile(r"\[\[|\]\]|\{\{|\}\}|''+|<[^<>]{0,20}>|\{\||\|\}|-\{|\}-|<!--|-->|\n|\w+|[^\w\n]")
OWN = re.compile("[\x00-\x1f\x7f]")
MARKUP = re.compile(r"\{\{|\}\}|\[\[|\]\]|<ref|</ref|\{\||\|\}|<!--(?=.*-->)", re.IGNORECASE)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A page of snippets whose pieces are dropped, doubled, swapped or spliced with those of another page."""
    page = "".join(draw(st.lists(st.sampled_from([*SNIPPETS, *GOLDEN]), min_size=1, max_size=4)))
    pieces = PIECES.findall(page)
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(pieces)))
        end = min(len(pieces), start + draw(st.sampled_from([0, 1, 1, 2, 5, 40])))
        match draw(st.sampled_from(["drop", "double", "reverse", "splice", "cut"])):
            case "drop":
                del pieces[start:end]
            case "double":
                pieces[start:start] = pieces[start:end] * 2
            case "reverse":
                pieces[start:end] = reversed(pieces[start:end])
            case "splice":
                pieces[start:end] = PIECES.findall(draw(st.sampled_from(SNIPPETS)))[: draw(st.integers(1, 30))]
            case "cut":
                del pieces[max(start, 1) :]
    return "".join(pieces)


@settings(max_examples=2_500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(damaged())
def test_damaged_pages(text: str) -> None:
    page = extract(text, OPTIONS, SITE)
    # Marks of language conversion make the page be read a second time.
    assert page.steps <= (FAILURE_LIMIT + 2) * (len(text) + 1)
    for paragraph in page.paragraphs:
        assert paragraph == " ".join(paragraph.split())
        assert any(map(str.isalnum, paragraph))
        assert not OWN.search(paragraph)
        if "&" not in text and "owiki>" not in text:
            assert not MARKUP.search(paragraph)


@pytest.mark.parametrize("first", SNIPPETS[:-1])
@pytest.mark.parametrize("second", SNIPPETS)
def test_what_is_whole_does_not_change_what_follows(first: str, second: str) -> None:
    both = extract(f"{first}\n\n{second}", OPTIONS, SITE).paragraphs
    assert both == extract(first, OPTIONS, SITE).paragraphs + extract(second, OPTIONS, SITE).paragraphs


@settings(max_examples=600, deadline=None, derandomize=True)
@given(
    st.sampled_from([snippet for snippet in SNIPPETS if "nowiki" not in snippet and "math" not in snippet]), st.data()
)
def test_a_comment_may_stand_anywhere_in_a_line(snippet: str, data: st.DataObject) -> None:
    if "<!--" in snippet:
        return
    place = data.draw(st.integers(1, len(snippet) - 1))
    if "\n" in snippet[place - 1 : place + 1]:
        return  # alone before the end of a line it may take the line with it
    commented = f"{snippet[:place]}<!-- [[ {{{{ '' <ref> -->{snippet[place:]}"
    assert extract(commented, OPTIONS, SITE).paragraphs == extract(snippet, OPTIONS, SITE).paragraphs


REPEATED = {
    "quotes, then powers": ("'", "<sup>"),
    "attributes with quotes": ("<a \"'", ""),
    "addresses": ("[http://x", ""),
    "addresses in double brackets": ("[[http://x ", ""),
    "titles with templates": ("[[a {{nowrap|b}}", ""),
    "labels": ("[[a {{x}}|", ""),
    "references": ("<ref>a", "</ref"),
    "attributes of references": ('<ref name="a" b', "'"),
    "open variants": ("-{", "}-"),
    "flags": ("-{A;", "|}-"),
    "rules": ("-{zh-hans:", ";x=>"),
    "comments": ("<!-- a -->", "b"),
    "open tags": ("<math><nowiki><h2>", ""),
    "references to characters": ("&#0", "&#x0"),
    "hollow brackets": ("({{x}}", "("),
    "tables in templates": ("\n{{{!}}", "\n{{!}}}"),
    "list marks": ("\n;", ":"),
    "blanks of a term": ("; ", " x"),
    "blanks": (" ", "\t"),
}


@pytest.mark.parametrize(("first", "second"), REPEATED.values(), ids=REPEATED.keys())
def test_repeated_marks_end(first: str, second: str) -> None:
    # Were any of these quadratic, the test would not end.
    count = 60_000
    page = extract(first * count + second * count, OPTIONS, SITE)
    assert page.steps <= (FAILURE_LIMIT + 2) * count * len(first + second)
