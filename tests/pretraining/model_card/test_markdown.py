"""Text from anywhere stays text: a reader of CommonMark sees what was put in."""

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pretraining.model_card.markdown import block, number, plain, table, with_error

MARKS = st.text(alphabet="\\`*_{}[]<>()#+-.!|~&$:/ ab1\nü🙂", max_size=30)


@given(MARKS)
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    html = MarkdownIt().render(f"x{plain(text)}x")
    assert html == f"<p>{html[3:-5]}</p>\n"
    assert "<" not in html[3:-5]
    assert unescape(html[3:-5]) == f"x{' '.join(text.split())}x"


@given(MARKS)
def test_a_cell_of_a_table_stays_one(text: str) -> None:
    html = MarkdownIt().enable("table").render(table(["a", "b"], [[f"x{text}x", 7]]))
    cells = [part.split("</td>")[0] for part in html.split("<td>")[1:]]
    assert [unescape(cell) for cell in cells] == [" ".join(f"x{text}x".split()), "7"]


@given(MARKS)
def test_a_block_ends_where_it_should(text: str) -> None:
    tokens = MarkdownIt().parse(f"{block(text, 'json')}\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].info == "json"
    assert tokens[0].content.rstrip() == text.rstrip()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (number(1234567), "1,234,567"),
        (number(0.25), "0.2500"),
        (number(None), "–"),
        (with_error(3.0, 0.0125), "3.0000 ± 0.0125"),
        (with_error(3.0, None), "3.0000"),
        (with_error(None, 0.1), "–"),
        (table(["a"], []), ""),
    ],
)
def test_figures(said: str, shown: str) -> None:
    assert said == shown
