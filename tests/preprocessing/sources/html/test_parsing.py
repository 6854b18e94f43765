import resource
from collections.abc import Mapping

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.html.parsing import EntityError, MarkupError, parse_html, parse_xml
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits


class Events:
    def __init__(self) -> None:
        self.text = ""
        self.names: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.names.append(name)

    def end(self, name: str) -> None: ...

    def characters(self, text: str) -> None:
        self.text += text


@pytest.mark.parametrize(
    ("text", "is_xml", "characters"),
    [
        ("<a>x&nbsp;&eacute;&lt;</a>", True, "x\xa0é<"),
        ("<a>x<b>y</a>", False, "xy"),
        ("<?xml version='1.0' encoding='koi8-r'?><a>ж</a>", True, "ж"),
        ('<!DOCTYPE a [<!ENTITY x \'<a>]>\'><!-- ]> " --><!ENTITY % y "z">]><a>t</a>', True, "t"),
        ("<!DOCTYPE a PUBLIC \"-//W3C><a title='\"'>t</a>", True, "t"),  # its quotation mark is never closed
        ("<!DOCTYPE a [ <!ELEMENT b ANY> <html>t</html>", True, "t"),  # nor its bracket
        ("<a>x &unheard; y</a>", True, "x &unheard; y"),
        ("<a><![CDATA[x < y]]> & z</a>", False, "x < y & z"),
        ("<a>\x01t</a>", False, "\x01t"),
        ("a < b <i>c</i>", False, "a < b c"),
    ],
)
def test_xml_and_what_claims_to_be(text: str, is_xml: bool, characters: str) -> None:
    events, was_xml = parse_xml(text, Events)
    assert (events.text, was_xml) == (characters, is_xml)


@pytest.mark.parametrize("value", ["'harmless'", "'&y;&y;'", "SYSTEM 'file:///etc/passwd'"])
def test_entities_are_never_expanded(value: str) -> None:
    declared = f"<!DOCTYPE a [<!ENTITY y 'lol'><!ENTITY x {value}>]>"
    with pytest.raises(EntityError, match="uses the entity 'x', which it declares itself"):
        parse_xml(f"{declared}<a>&x;</a>", Events)
    assert parse_xml(f"{declared}<a>t</a>", Events)[0].text == "t"
    assert "lol" not in parse_html(f"{declared}<p>&x; &y;</p>", Events()).text
    # an attribute is no way round it
    assert "lol" not in parse_xml(f"{declared}<a b='&y;'>t</a>", Events)[0].text


@pytest.mark.parametrize("text", ["", "  \n", "plain", "a < b", "<!-- <p> -->", "<?php x ?>"])
def test_text_without_a_tag(text: str) -> None:
    with pytest.raises(MarkupError):
        parse_xml(text, Events)
    parse_html(text, Events())


def test_for_html_text_without_a_tag_is_a_paragraph() -> None:
    assert parse_html("plain & simple", Events()).text == "plain & simple"


@pytest.mark.parametrize(
    "text",
    ["<div>" * 200_000, "<ul><li>" * 50_000, "<a " + " ".join(f"x{n}=1" for n in range(100_000)), "<!--" * 200_000]
    + ["<p><b>" * 50_000, "&" * 500_000, "<table><tr><td>" * 30_000, "<x y='" + "z" * (8 << 20)],
    ids=["blocks", "lists", "attributes", "comments", "formatting", "entities", "tables", "value"],
)
def test_deep_and_wide_markup_takes_little(text: str) -> None:
    """A tree of it took another parser 90 seconds; events cost the same each, however deep."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    events = parse_html(text, Events())
    assert len(events.names) <= 200_002
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 << 10


def test_parts_in_which_the_text_is_fed_change_nothing() -> None:
    paragraph = "<p class='x'>Größe &amp; 漢字 <b>bold</b> <!-- c --> &hellip;</p>\n"
    text = "<body>" + paragraph * 5_000
    assert parse_html(text, Events()).text == "Größe & 漢字 bold  …\n" * 5_000


@pytest.mark.parametrize(
    "text",
    ["<p>t<![CDATA[" * 100_000]
    + ["<!DOCTYPE a [" + "<!--" * 200_000 + "<p>t", "<!DOCTYPE a [" + "<!-- ' " * 200_000 + "<p>t"],
    ids=["sections", "comments", "quotes"],
)
def test_marks_without_an_end_cost_linear_time(text: str) -> None:
    """Each of them was sought to the end of the text."""
    parse_xml(text, Events)


def test_sections_of_tag_soup_are_text() -> None:
    soup = "<p>a <![CDATA[b < c]]> d<br> <![CDATA[<i>&amp;]]> e <![CDATA[f"
    assert parse_xml(soup, Events)[0].text.startswith("a b < c d <i>&amp; e ")


@pytest.mark.parametrize("inputs", [InputOptions(books=("b.epub",)), InputOptions(text=("t.html",))])
def test_an_old_libxml2_is_refused_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, inputs: InputOptions
) -> None:
    monkeypatch.setattr("lxml.etree.LIBXML_VERSION", (2, 13, 9))
    with pytest.raises(PreprocessingError, match=r"built with libxml2 2\.13\.9") as caught:
        plan_splits(inputs)
    assert "\n" not in str(caught.value)
