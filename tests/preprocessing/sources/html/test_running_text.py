import pytest

from preprocessing.sources.html.parsing import parse_html, parse_xml
from preprocessing.sources.html.running_text import RunningText


def text_of(markup: str, is_page: bool = False) -> list[str]:
    return [text for _, text in parse_html(markup, RunningText(is_page)).finish().blocks]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('word<a epub:type="noteref" href="n.xhtml">12</a>', "word"),
        ('word<a role="doc-noteref" href="#n">[12]</a> on', "word on"),
        ('word<sup><a href="#fn1">1</a></sup>.', "word."),
        ('word<a href="#fn1"><sup>1</sup></a>.', "word."),
        ('word<a href="notes.html#fn1"><sup>[iv]</sup></a>.', "word."),
        ('word<a class="fnanchor" href="#F1">[A]</a> on', "word on"),
        ('word<a href="#F1">[3]</a> on', "word on"),
        ('word<a href="#F1">*</a> on', "word on"),
        ('word<sup class="fnref"><a>7</a></sup>', "word"),
        ("It ended.<sup>4</sup> Then", "It ended. Then"),
        ('Note. <a href="#r1">↩</a>', "Note."),
        ('<a epub:type="backlink" href="#r1">1.</a> Note.', "Note."),
        ('one<span epub:type="pagebreak" title="12">12</span> two', "one two"),
        ('one<span class="pagenum">[Pg 12]</span> two', "one two"),
        ('one<span class="pagenum"><a id="P12">xii</a></span> two', "one two"),
        ('one<span role="doc-pagebreak">Page 12</span> two', "one two"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢字"),
        # what looks like it and is not
        ('See <a href="#p12">12</a> and <a href="#c">Chapter 2</a>.', "See 12 and Chapter 2."),
        ('<span class="pagenum">Chapter the last</span> begins', "Chapter the last begins"),
        ('<span epub:type="pagebreak">The whole chapter.</span>', "The whole chapter."),
        ('<a epub:type="noteref" href="#n">a longer remark</a>', "a longer remark"),
        ("10<sup>6</sup> and 10<sup>-6</sup> m<sup>2</sup> 4<sup>th</sup>", "10^6 and 10^-6 m2 4th"),
        ("a <q>quotation</q>", "a “quotation”"),
        ("one<br>two<wbr>three", "one twothree"),
    ],
)
def test_marks_leave_no_digits(markup: str, text: str) -> None:
    assert text_of(f"<p>{markup}</p>") == [text]


@pytest.mark.parametrize(
    ("markup", "kind"),
    [
        ('<aside epub:type="footnote"><p>gone</p></aside>', "notes"),
        ('<section role="doc-endnotes"><ol><li>gone</ol></section>', "notes"),
        ('<div epub:type="rearnotes"><p>gone</p></div>', "notes"),
        ("<nav><ol><li>gone</ol></nav>", "navigation"),
        ('<section epub:type="toc"><p>gone</p></section>', "navigation"),
        ("<p hidden>gone</p>", "hidden"),
        ('<p style="color: red; display : none">gone</p>', "hidden"),
        ("<math><mi>gone</mi></math>", "formulas"),
        ("<svg><text>gone</text></svg>", "pictures"),
        ("<pre><code>gone</code></pre>", "code"),
        ('<pre class="language-python">gone</pre>', "code"),
        ('<section class="pg-boilerplate pgheader"><p>gone</p></section>', "gutenberg"),
        ("<script>gone</script>", ""),
        ("<style>gone</style>", ""),
        ("<noscript>gone</noscript>", ""),
        ("<template><p>gone</p></template>", ""),
    ],
)
@pytest.mark.parametrize("is_page", [False, True])
def test_what_stands_beside_the_text_is_counted(markup: str, kind: str, is_page: bool) -> None:
    page = parse_html(f"<p>Before.</p>{markup}<p>After.</p>", RunningText(is_page)).finish()
    assert [text for _, text in page.blocks] == ["Before.", "After."]
    assert dict(page.left_out) == ({kind: 4} if kind else {})


LONG = "This cell holds a sentence that runs on over the width of any column of figures. "


@pytest.mark.parametrize(
    ("markup", "kept", "kind"),
    [
        ("<aside><p>x</p></aside>", [], "asides"),
        ("<footer>x</footer>", [], "footers"),
        ("<table><tr><th>x<td>1</table>", [], "tables"),
        (f"<table>{'<tr><td>x<td>1' * 60}<tr><td>{LONG}</table>", [LONG.strip()], "tables"),
        (f"<table><tr><td><p>Short.<p>{LONG}</table>", ["Short.", LONG.strip()], ""),
        ("<form>Subscribe <button>Go</button></form>", [], "forms"),
        (f"<form><p>{LONG * 9}</form>", [(LONG * 9).strip()], ""),  # some pages are a form as a whole
        ("<select><option>x</select>", [], "forms"),
        ('<div role="search">x</div>', [], "navigation"),
        ("<header><p>Kept.</header>", ["Kept."], ""),
    ],
)
def test_a_page_has_more_beside_its_text_than_a_chapter(markup: str, kept: list[str], kind: str) -> None:
    page = parse_html(f"<title>T</title>{markup}", RunningText(is_page=True)).finish()
    assert [text for _, text in page.blocks] == kept
    assert (page.title, bool(page.left_out[kind])) == ("T", bool(kind))


def test_blocks_and_headings() -> None:
    markup = (
        "<h1>One <i>two</i></h1>text<div>three<p>four</p>five</div><ul><li>six<li>seven</ul><table><td>8<td>9</table>"
    )
    page = parse_html(markup, RunningText()).finish()
    expected = ["text", "three", "four", "five", "six", "seven", "8", "9"]
    assert page.blocks == [(True, "One two"), *((False, text) for text in expected)]


def test_lines_of_verse_and_of_prose_in_preformatted_text() -> None:
    prose = "It was a bright cold day in the middle of April, and all the clocks in\nthe little town were striking."
    verse = "The sea is calm to-night.\nThe tide is full, the moon lies fair\nUpon the straits; on the coast the light"
    assert text_of(f"<pre>{prose}\n\n{verse}\nGleams and is gone.</pre>") == [
        prose.replace("\n", " "),
        *verse.split("\n"),
        "Gleams and is gone.",
    ]


def test_both_parsers_tell_the_same() -> None:
    markup = '<html><body><h2>A</h2><p>b<a href="#n">[1]</a> 2<sup>3</sup></p><pre>c\nd</pre><p>e</p></body></html>'
    strict, is_xml = parse_xml(markup, RunningText)
    assert is_xml
    assert strict.finish().blocks == parse_html(markup, RunningText()).finish().blocks


@pytest.mark.parametrize(
    "markup",
    ["<table>" * 20_000 + "<p>x</p>" * 20_000, "<a href=#x>" * 50_000 + "t", "1<sup>2</sup>" * 50_000]
    + ["<pre><code>" * 20_000, "<p class=pagenum>" * 20_000 + "-" * 60_000, f"<a href=#x>{' ' * 60_000}</a>"],
)
def test_work_grows_with_the_text_alone(markup: str) -> None:
    assert len(text_of(markup, is_page=True)) <= 20_000
