import pytest

from preprocessing.sources.html.parsing import parse_html, parse_xml
from preprocessing.sources.html.running_text import RunningText
from preprocessing.tally import Tally
from preprocessing.wikitext import WikitextOptions, to_paragraphs


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
        ("word<sup>12</sup> next", "word next"),
        ("word<sup>1,2</sup> and word<sup>[3]</sup>", "word and word"),
        ('word<a href="n.html#n1" class="x"><span><sup>12</sup></span></a>', "word"),
        ('word<span class="super"><a href="x.html#n">12</a></span>', "word"),
        ('word<span style="font-size:70%; vertical-align:super">12</span>', "word"),
        ('word,<a href="notes.xhtml#end12">12</a> on', "word, on"),
        ('word<a href="#end12">(12)</a> on', "word on"),
        ('word <a class="fnanchor" href="#F3">[3]</a>, on', "word, on"),
        ('word<a epub:type="noteref" href="#n">note 12</a>', "word"),
        ('word<a href="#n1">¹²</a>', "word"),
        ('<a class="page" id="p12">[Pg 12]</a>The', "The"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢字"),
        # what looks like it and is not
        ('See <a href="#p12">12</a> and <a href="#c">Chapter 2</a>.', "See 12 and Chapter 2."),
        ('(note <a href="#n12">12</a>) p.<a href="#p9">9</a>', "(note 12) p.9"),
        ("x<sup>2</sup> cm<sup>3</sup> 1<sup>er</sup> XVIII<sup>e</sup> Srt<sup>a</sup>", "x^2 cm^3 1er XVIIIe Srta"),
        ('10<span class="sup">6</span>', "10^6"),
        ("5 km<sup>2</sup>, E = <i>mc</i><sup>2</sup>.", "5 km^2, E = mc^2."),
        ("(a + b)<sup>2</sup>, 2<sup>n</sup>, 10<sup>q</sup>, s<sup>−1</sup>", "(a + b)^2, 2^n, 10q, s^−1"),
        ("5<sup>1</sup>/<sub>2</sub> and 3<sup>1</sup>&frasl;<sub>4</sub>", "5 1/2 and 3 1⁄4"),
        ("<sup>1</sup>/<sub>2</sub> of m<sup>2</sup>/s", "1/2 of m^2/s"),
        ("5d<sup>10</sup>6s", "5d^10 6s"),
        ("(as was said)<sup>3</sup> and (Smith 1990)<sup>4</sup>", "(as was said) and (Smith 1990)"),
        ('<span class="page">A page of one\'s own</span>', "A page of one's own"),
        ('<span class="pagenum">Chapter the last</span> begins', "Chapter the last begins"),
        ('<span epub:type="pagebreak">The whole chapter.</span>', "The whole chapter."),
        ('<a epub:type="noteref" href="#n">a longer remark</a>', "a longer remark"),
        ("10<sup>6</sup> and 10<sup>-6</sup> m<sup>2</sup> 4<sup>th</sup>", "10^6 and 10^-6 m^2 4th"),
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
        ('<span class="mw-editsection">gone</span>', "hidden"),
        ('<div class="footnotes"><p>gone</p></div>', "notes"),
        ('<p class="MsoFootnoteText">gone</p>', "notes"),
        ("<p>\\[gone\\]</p>", "formulas"),
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
        ("<ul><li><a href=/>Home</a><li><a href=/a>About us</a><ul><li><a href=/b>Us</a></ul></ul>", [], "navigation"),
        (f"<ul><li><a href=/>{LONG}</a></ul>", [LONG.strip()], ""),
        ("<ul><li><a href=/>Salt</a> and pepper<li>flour</ul>", ["Salt and pepper", "flour"], ""),
        ('<a class="skip-link" href="#main">Skip</a>', [], "navigation"),
        ('<i aria-hidden="true">x</i>', [], "hidden"),
        ('<div role="search">x</div>', [], "navigation"),
        ("<header><p>Kept.</header>", ["Kept."], ""),
    ],
)
def test_a_page_has_more_beside_its_text_than_a_chapter(markup: str, kept: list[str], kind: str) -> None:
    page = parse_html(f"<title>T</title>{markup}", RunningText(is_page=True)).finish()
    assert [text for _, text in page.blocks] == kept
    assert (page.title, bool(page.left_out[kind])) == ("T", bool(kind))


def test_two_line_breaks_begin_a_paragraph() -> None:
    markup = "One<br>two.<br><br>Three<i><br> <br/>four</i>.<br>&nbsp;<br>Five<br>"
    assert text_of(markup, is_page=True) == ["One two.", "Three", "four.", "Five"]
    assert text_of(f"<pre>a{'<br>' * 2}b</pre>") == ["a", "b"]


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


@pytest.mark.parametrize(
    "source",
    [
        "5 km<sup>2</sup>, 2<sup>10</sup>, (a)<sup>2</sup>, x<sup>-1</sup>, s<sup>−2</sup>, Ca<sup>2+</sup>",
        "5<sup>1</sup>/<sub>2</sub>, <sup>14</sup>C, 2<sup>n</sup>, 2<sup>n+1</sup>, 1<sup>er</sup>, XIX<sup>e</sup>",
        "5d<sup>10</sup>6s, 4<sup>th</sup>, M<sup>me</sup>, 10<sup>k</sup>",
    ],
)
def test_powers_are_those_of_wikitext(source: str) -> None:
    assert text_of(f"<p>{source}</p>") == to_paragraphs(source, WikitextOptions(), Tally())
