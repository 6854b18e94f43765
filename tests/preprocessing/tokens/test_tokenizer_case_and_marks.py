"""What docs/own-language.md shows of case and marks is what a vocabulary's normalisation does."""

import re
from pathlib import Path

import pytest

from preprocessing.tokens.tokenizer import build

PAGE = Path(__file__).parents[3] / "docs" / "own-language.md"


def shown() -> list[list[str]]:
    """The rows of the page's table: a text, and what becomes of it uncased, with accents kept, and cased."""
    table = PAGE.read_text(encoding="utf-8").split("\n## Case and marks\n")[1].split("\n- ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"\|", row)[1:-1]] for row in rows]


@pytest.mark.parametrize("row", shown(), ids=lambda row: row[0])
def test_the_page_shows_what_is_done(row: list[str]) -> None:
    text, uncased, accents, cased = row
    vocabulary = {"[UNK]": 0}
    assert build(vocabulary, lowercase=True).normalised(text) == uncased
    assert build(vocabulary, lowercase=True, accents=True).normalised(text) == accents
    assert (cased, build(vocabulary, lowercase=False).normalised(text)) == ("as written", text)


def test_the_table_is_read() -> None:
    assert len(shown()) == 4
