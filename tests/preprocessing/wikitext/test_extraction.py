"""Wikitext to paragraphs, construct by construct."""

from pathlib import Path

import pytest

from preprocessing.tally import Tally
from preprocessing.wikitext import Site, WikitextOptions, extract, to_paragraphs

WITH_LISTS = WikitextOptions(keep_lists=True)
WITHOUT_LISTS = WikitextOptions(keep_lists=False)
GOLDEN = Path(__file__).parent / "golden"
LANGUAGES = {"deutsch": "de"}


def paragraphs(text: str, options: WikitextOptions = WITH_LISTS, site: Site | None = None) -> list[str]:
    return to_paragraphs(text, options, Tally(), site)


@pytest.mark.parametrize(
    ("wikitext", "shown"),
    [
        # links
        ("a [[dog]]s b", "a dogs b"),
        ("a [[Dog|hound]] b", "a hound b"),
        ("a [[Dog (animal)|]] b", "a Dog b"),
        ("in [[Boston, Massachusetts|]] b", "in Boston b"),
        ("see [[:Category:Dogs]] b", "see Category:Dogs b"),
        ("a [[Category:Dogs]]b", "a b"),
        ("a [[fr:Chien]]b", "a b"),
        ("a [[Dune: Part Two]] b", "a Dune: Part Two b"),
        ("a [[#History|history]] b", "a history b"),
        ("a [[Dog|a {{lang|fr|grand}} dog]] b", "a a grand dog b"),
        ("a [[Dog|''wolf'' & [[cat]]]] b", "a wolf & cat b"),
        ("a [[File:A.png|thumb|A [[dog]] and [http://x.org a cat]]]b", "a b"),
        ("a [[image:A.png]]b", "a b"),
        ("a [http://example.org the site] b", "a the site b"),
        ("a [http://example.org] b", "a b"),
        ("a [//example.org {{nowrap|the site}}] b", "a the site b"),
        ("a [sic] b", "a [sic] b"),
        ("a [[Unclosed link b", "a Unclosed link b"),
        # references, comments and tags with content that is no text
        ("a<ref>x [[y]] {{cite|z}}</ref> b", "a b"),
        ('a<ref name="x" /> b<REF group=n>c</REF> d', "a b d"),
        ("a<ref>never closed b", "a never closed b"),
        ("a<!-- {{ [[ --> b", "a b"),
        ("a\n<!-- alone -->\nb", "a b"),
        ("a <math>x^{{2}}</math> b", "a formula b"),
        ("a<gallery>\nA.png|x\n</gallery>b", "ab"),
        ("a <nowiki>{{b}} ''c''</nowiki> d", "a {{b}} ''c'' d"),
        ("a<syntaxhighlight lang=c>if (x) {{</syntaxhighlight> b", "a b"),
        # HTML
        ("a<br />b<small>c</small> <span style='x'>d</span>", "a bc d"),
        ("10<sup>6</sup> m<sup>2</sup> H<sub>2</sub>O", "10^6 m^2 H2O"),
        ("#include <stdio.h>: x", "include <stdio.h>: x"),
        ("if a < b and b > c", "if a < b and b > c"),
        ("a&nbsp;b &ndash; c&#8212;d &#x41; &bogus; &amp;lt;", "a b – c—d A &bogus; &lt;"),
        ("a\u00a0b", "a b"),
        # quotes
        ("''a'' '''b''' '''''c''''' d's l''''e'''", "a b c d's l'e"),
        # what templates leave
        ("Albedo ({{IPAc-en|x}}; from Latin) is", "Albedo (from Latin) is"),
        ("Albedo ({{IPAc-en|x}}) is ({{a}}, {{b}}) that", "Albedo is that"),
        ("digraphs {{a}}, {{b}}, {{c}}.", "digraphs."),
        ("a {{unknown|b [[c]] {{d}} }}e", "a e"),
        ("a {{{parameter|default}}} b", "a b"),
        ("a {{never closed b", "a never closed b"),
        ("a }} b ]] c", "a b c"),
        ("a __NOTOC__b __init__", "a b __init__"),
        # language variants
        ("这是-{zh-hans:计算机; zh-hant:電腦}-。-{H|zh-cn:a}-", "这是计算机。"),
    ],
)
def test_inline(wikitext: str, shown: str) -> None:
    assert " ".join(paragraphs(wikitext)) == shown


def test_headings_and_blank_lines_part_paragraphs() -> None:
    text = "One\ntwo.\n== Heading ==\nThree.\n\nFour.\n----\nFive.\n=== Last === <!-- x -->\nSix."
    assert paragraphs(text) == ["One two.", "Three.", "Four.", "Five.", "Six."]


def test_an_equation_is_no_heading() -> None:
    assert paragraphs("= a sign = of b") == ["= a sign = of b"]


def test_lists_are_kept_or_dropped() -> None:
    text = "Before:\n* one\n** [[two]]\n# three\n; term : meaning\n: indented\nAfter.\n<ul><li>four</li></ul>"
    kept = ["Before:", "one", "two", "three", "term: meaning", "indented", "After.", "four"]
    assert paragraphs(text, WITH_LISTS) == kept
    assert paragraphs(text, WITHOUT_LISTS) == ["Before:", "After."]


@pytest.mark.parametrize(
    "table",
    [
        "{| class=x\n|-\n! a\n| b || c\n|}",
        "{|\n| a\n{|\n| nested\n|}\n| b\n|}",
        ":{|\n| {{x\n|}}\n| <nowiki>\n|}</nowiki>\n|}",
        "<table border=1><tr><td>a<table><tr><td>b</td></tr></table></td></tr></table>",
        "{| class=never\n| closed",
    ],
)
def test_tables_are_dropped(table: str) -> None:
    assert paragraphs(f"Before.\n\n{table}\n\nAfter.") == ["Before.", "After."]


def test_a_brace_and_a_bar_inside_a_sentence_are_no_table() -> None:
    assert paragraphs("the set {|x|} of x") == ["the set x of x"]


def test_namespace_names_of_the_wiki_are_known() -> None:
    site = Site.from_namespaces({6: "Berkas", 14: "Flokkur"})
    text = "a [[Berkas:A.png|thumb|b]]c [[Flokkur:D]]e [[File:F.png]]g"
    assert paragraphs(text, site=site) == ["a c e g"]


@pytest.mark.parametrize(("language", "shown"), [("", "软件abc"), ("zh", "软件abc"), ("zh-tw", "軟體abc")])
def test_marks_of_conversion_are_read_in_the_language_of_the_site(language: str, shown: str) -> None:
    text = "-{zh-hans:软件;zh-hant:軟體}-[[a|-{A|zh-hans:a}-]]{{nowrap|-{A|zh-hans:b;zh-hant:b}-}}-{c}-"
    assert paragraphs(text, site=Site(language=language)) == [shown]


def test_in_a_language_without_variants_the_marks_are_text() -> None:
    assert paragraphs("a -{b}- c", site=Site(language="en")) == ["a -{b}- c"]


def test_what_templates_lost_is_counted_by_canonical_name() -> None:
    tally = Tally()
    text = "a {{Cite web|url=x}} {{cite_web |b=[[c]]}} {{nowrap|kept}} {{Infobox\n| a = {{convert|1|km}}\n}}"
    to_paragraphs(text, WITH_LISTS, tally)
    dropped = ["{{Cite web|url=x}}", "{{cite_web |b=[[c]]}}", "{{Infobox\n| a = {{convert|1|km}}\n}}"]
    lengths = [len(template) for template in dropped]
    assert tally.lost_templates == {"cite web": lengths[0] + lengths[1], "infobox": lengths[2]}


def test_a_paragraph_without_letters_or_digits_is_none() -> None:
    assert paragraphs("—\n\n...\n\n[[File:a.png]]\n\n5") == ["5"]


@pytest.mark.parametrize(
    ("text", "inline"),
    [
        ("a {{unknown|b}} c", True),
        ("a {{unknown|b}}", True),
        ("{{unknown|b}} km", True),
        ("{{unknown|b}}km", True),
        ("a: {{unknown|b}}", True),
        ("a {{unknown|{{b}}}} c", True),
        ("a {{nowrap|b {{unknown}} }}", True),
        ("{{unknown|b}}", False),
        ("{{unknown|b}}\ntext", False),
        ("text\n{{unknown\n|b}}\n''A''", False),
        ("* {{unknown|b}}\n* c", False),
        (": {{unknown|b}}\nc", False),
        ("{{unknown|b}}{{other}}\nc", False),
        ("a {{citation needed}} b", False),
        ("a<ref>{{unknown|b}}</ref> c", False),
    ],
)
def test_templates_that_may_have_left_a_hole_are_told_from_furniture(text: str, inline: bool) -> None:
    page = extract(text, WITH_LISTS, Site())
    assert ("unknown" in page.inline_templates) is inline
    assert set(page.inline_templates) <= {"unknown"}


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("a {{lang|fr}} b", {"lang": 11}),
        ("a {{quote|content2=c}} b", {"quote": 20}),
        ("a {{quote|content2={{nowrap|c}}}} b", {"quote": 31}),
        ("a {{nowrap}} {{nowrap|}} {{nowrap| }} b", {}),
        ("a {{lang|fr|c}} b", {}),
    ],
)
def test_a_template_that_is_known_and_shows_nothing_is_counted(text: str, lost: dict[str, int]) -> None:
    page = extract(text, WITH_LISTS, Site())
    assert page.lost_templates == page.inline_templates == lost


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("あ（{{x}}）い", "あい"),
        ("あ（、{{x}}）い", "あい"),
        ("あ（ {{x}}；い）", "あ（い）"),
        ("あ（い）", "あ（い）"),
        ("أ (، {{x}}؛) ب", "أ ب"),
    ],
)
def test_hollow_brackets_of_other_scripts(text: str, shown: str) -> None:
    assert paragraphs(text) == [shown]


@pytest.mark.parametrize("page", sorted(GOLDEN.glob("*.wikitext")), ids=lambda path: path.stem)
def test_golden_pages(page: Path) -> None:
    wanted = page.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    site = Site(language=LANGUAGES.get(page.stem, ""))
    assert paragraphs(page.read_text(encoding="utf-8"), WITH_LISTS, site) == wanted


def test_there_are_golden_pages() -> None:
    assert len(list(GOLDEN.glob("*.wikitext"))) >= 3
