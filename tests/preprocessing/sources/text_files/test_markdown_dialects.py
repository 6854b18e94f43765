"""What the dialects of Markdown add goes, and what only looks like it stays."""

from collections import Counter

import pytest

from preprocessing.sources.text_files.markdown_dialects import common_lines


def common(text: str) -> tuple[str, Counter[str]]:
    left_out: Counter[str] = Counter()

    def count(kind: str, characters: int) -> None:
        left_out[kind] += characters

    return "\n".join(line for line in common_lines(text.split("\n"), count) if line.strip()), left_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("% Title\n% Author\n\nText.", "Text."),
        ("::: warning\nText.\n:::", "Text."),
        ("(label)=\n# H\n+++\n\n% a comment\n\nText.", "# H\nText."),
        ("```{note}\nText.\n```\nMore.", "Text.\nMore."),
        ("{% include x.html %}\nText {% if a %}here{% endif %}.\n{: .class}", "Text here."),
        ("{{< youtube abc >}}\nText.\n[TOC]\n\\newpage", "Text."),
        ('!!! note "Title"\n    Text.\n\n    More.\nAfter.', "Text.\nMore.\nAfter."),
        ("[text]{.smallcaps} and ![a](b.png){width=50%} here", "text and ![a](b.png) here"),
        ("# Heading {#id .class}", "# Heading"),
        ("So it is [see @smith2004, p. 33; @doe99].^[An aside.]", "So it is."),
        ("H~2~O and 10^6^", "H2O and 10^6"),
        ("See {ref}`label` for `code`{.python}.", "See `label` for `code`."),
        ("Text %%a comment%% goes on. ^block-id", "Text goes on."),
    ],
)
def test_marks_of_dialects_go(text: str, expected: str) -> None:
    assert common(text)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "Write to [me@example.com] or [@user](https://x.y).",
        "It was ~~gone~~ and ~5 of them, ~6 more.",
        "The sum $\\sum_{i=1}^n x_{i}$ and 10 ^6",
        "Some fifty\n% of them came.",
        "!!! Attention, everyone.",
        "Use `[a]{.b}` and `{% x %}`.",
        "```\n::: x\n(label)=\n{% y %}\n```",
        "    ::: is code [a]{.b}",
        "{% highlight ruby %}".replace("highlight ruby", "broken") + " text",
        "A {curly} word: {not=closed",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    expected = " text" if "broken" in text else text
    assert common(text) == (expected, Counter())


def test_blocks_of_code_and_formulas_are_counted() -> None:
    assert common("{% highlight ruby %}\nputs 1\n{% endhighlight %}\nText.")[0] == "Text."
    found, left_out = common("\\begin{align*}\na &= b\n\\end{align*}\nText.")
    assert (found, left_out["formulas"]) == ("Text.", 32)


def test_a_block_without_an_end_is_text() -> None:
    for begin in ("{% highlight ruby %}", "\\begin{equation}"):
        text = "\n".join([begin, *["A line of text."] * 1000])
        found, left_out = common(text)
        assert (found.count("A line of text."), left_out.total()) == (1000, 0)
