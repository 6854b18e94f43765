import markdown
import pytest
from site_pages.tables import code, plain, table


def cells_of(text: str) -> list[str]:
    """The text of the cells of a Markdown table, as MkDocs shows it."""
    from lxml import html

    tree = html.fromstring(markdown.markdown(text, extensions=["tables"]))
    return ["".join(cell.itertext()) for cell in tree.iter("td")]


@pytest.mark.parametrize("text", ["a|b", "<file> & co", "2 * 3 _a_ [x](y) [CLS]", "a `b|c_d` e", "a\\b", "≥\u00a01"])
def test_a_text_is_shown_as_it_is(text: str) -> None:
    assert cells_of(table(("a", "b"), [(plain(text), "x")])) == [text.replace("`", ""), "x"]


def test_code_is_shown_as_it_is_on_one_line() -> None:
    assert cells_of(table(("a", "b"), [(code("a | b\n  c"), code(""))])) == ["a | b c", ""]
