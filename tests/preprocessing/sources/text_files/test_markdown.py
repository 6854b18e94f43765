from itertools import chain, repeat

import pytest

from preprocessing.sources.text_files.markdown import MarkdownText, joined
from preprocessing.tally import Tally


def read(text: str) -> tuple[list[str], MarkdownText, Tally]:
    tally = Tally()
    markdown = MarkdownText(text.split("\n"), tally)
    return [block for _, block in markdown.blocks()], markdown, tally


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("Hard *wrapped* **text**\nof `one` paragraph.", ["Hard wrapped text of one paragraph."]),
        ("漢字\n仮名", ["漢字仮名"]),
        ("one  \ntwo\\\nthree", ["one two three"]),
        ("- one\n- two\n\n  still two\n  1. three", ["one", "two", "still two", "three"]),
        ("- [x] done\n- [ ] open", ["done", "open"]),
        ("> quoted\nlazily\n>\n> > deeper", ["quoted lazily", "deeper"]),
        ("> [!NOTE]\n> Mind it.", ["Mind it."]),
        ("> [!quote|left wide]- Its title\n> Mind [!it] too.", ["Its title Mind [!it] too."]),
        ("> [!NOTE]\n>\n> Mind it.", ["Mind it."]),
        ("Tick the box [x] and then go on.", ["Tick the box [x] and then go on."]),
        ("[x] marks the place, in the array a[x] too.", ["[x] marks the place, in the array a[x] too."]),
        ("- [ ] Tick [x] here\n\n  [x] is how", ["Tick [x] here", "[x] is how"]),
        ("> [x] is quoted [!NOTE] here\n\n- [!NOTE] is an item", ["[x] is quoted [!NOTE] here", "[!NOTE] is an item"]),
        ("# [x] and [!NOTE] there", ["[x] and [!NOTE] there"]),
        (
            "[link](http://x.y 'title'), [ref], [text][ref] <http://a.b>\n\n[ref]: http://x.y",
            ["link, ref, text http://a.b"],
        ),
        ("before ![picture](p.png) after", ["before after"]),
        ("a [[page]] and [[page|alias]] ![[picture.png]]", ["a page and alias"]),
        ("==marked== ~~gone~~ \\*star\\* &amp; &eacute; 2 * 3 snake_case", ["marked gone *star* & é 2 * 3 snake_case"]),
        (
            "One[^1] two.[^note]\n\n[^1]: https://x.y\n[^note]: The note\n    goes on.\n\n    And on.\n\nThree.",
            ["One two.", "Three."],
        ),
        ("`[^a]` and [^unknown]", ["[^a] and [^unknown]"]),
        ("a <b>bold</b> 10<sup>6</sup><br>line <!-- gone --> <ruby>漢<rt>kan</rt></ruby>", ["a bold 10^6 line 漢"]),
        ("a < b && c <!-- gone --> d", ["a < b && c d"]),
        ("<div>\n<p>One</p>\n<p>Two</p>\n</div>\n\nThree", ["One", "Two", "Three"]),
        ("</div>\nafter", ["after"]),
        ("<!-- a\n\ncomment -->\n\ntext", ["text"]),
        ("<script>\nx\n\ny\n</script>\ntext", ["text"]),
        ("before\n\n$$\ne = m\n$$\n\n$$x$$\n\nafter $y$", ["before", "after $y$"]),
        ("costs $$\n\nmore", ["costs $$", "more"]),
        ("---\ntext\n\n---", ["text"]),
        ("", []),
    ],
)
def test_running_text(source: str, blocks: list[str]) -> None:
    assert read(source)[0] == blocks


@pytest.mark.parametrize(
    ("source", "kind", "characters"),
    [
        ("```python\nx = 1\n```", "code", 5),
        ("~~~\n```\nx\n~~~~", "code", 5),
        ("    x = 1", "code", 5),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "tables", 4),
        ("![alt text](x.png)", "pictures", 8),
        ("[^1]: a note", "notes", 12),
        ("$$x$$", "formulas", 5),
        ("---\ntitle: x\n---", "front_matter", 8),
        ("<nav>menu</nav>", "navigation", 4),
    ],
)
def test_what_stands_beside_the_text_is_counted(source: str, kind: str, characters: int) -> None:
    blocks, _, tally = read(f"{source}\n\nText." if kind == "front_matter" else f"Text.\n\n{source}\n\nText.")
    assert set(blocks) == {"Text."}
    assert tally.counters == {f"text.left_out_characters.{kind}": characters}


def test_headings_and_titles() -> None:
    markdown = read("# One *two*\n\ntext\n\nThree\n=====")[1]
    assert list(MarkdownText(["# One", "text"], Tally()).blocks()) == [(True, "One"), (False, "text")]
    assert markdown.title == ""
    assert read("---\ndate: 1\ntitle: 'A title'\n---\ntext")[1].title == "A title"
    assert read('+++\ntitle = "A title"\n+++\ntext')[1].title == "A title"


def test_long_files_are_read_in_sections() -> None:
    paragraph = "A paragraph with *emphasis* that is repeated so often that the file is long."
    fence = ["```", *["code # not a heading", ""] * 20_000, "```", ""]
    lines = ["[ref]: http://x.y", "", *[paragraph, ""] * 10_000, *fence, *["A [link][ref].", ""] * 10_000]
    tally = Tally()
    blocks = [block for _, block in MarkdownText(lines, tally).blocks()]
    assert blocks == [paragraph.replace("*", "")] * 10_000 + ["A link."] * 10_000
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        for line in chain.from_iterable(repeat((paragraph, ""))):
            taken += len(line)
            yield line

    next(MarkdownText(endless(), Tally()).blocks())
    assert taken < 1 << 20


def test_a_paragraph_without_end_is_still_text() -> None:
    blocks, _, _ = read("[" * 30_000 + " word")
    assert blocks == ["[" * 30_000 + " word"]


def test_joined() -> None:
    assert joined(" one \n two\n漢\n字 ") == "one two 漢字"


def test_blanks_inside_a_line_cost_linear_time() -> None:
    """A pattern for line breaks tried each run of blanks from each of its places: hours for one such line."""
    blanks = " " * (1 << 20)
    assert joined(f"one{blanks}two{blanks}\n{blanks}three{blanks}") == "one two three"
    assert read(f"one{blanks}two")[0] == ["one two"]
    assert read(f"before\n{{% one %}}{blanks}two")[0] == ["before two"]
