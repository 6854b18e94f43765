"""Items of enumerations, and numbers that are none."""

import pytest

from preprocessing.documents.sentences.enumerations import items
from preprocessing.documents.sentences.table import SentenceTable

PLAIN = SentenceTable()
ORDINALS = SentenceTable(ordinals=True, ordinals_before_capitals=True, ordinal_followers=frozenset({"mai", "liga"}))


@pytest.mark.parametrize(
    "case",
    [
        "1. Wash it |2. Dry it |3. Go",
        "7. Wash it. |8. Dry it.",
        "• 9. Wash it • |10. Dry it".replace(" • |", " |• "),
        "⁃9. Wash it |⁃10. Dry it",
        "a. Wash it |b. Dry it |c. Go",
        "1. Wash it 3. Dry it",
        "1. wash it 2. dry it",
        "1. e4 e5 2. Nf3 Nc6",
        "A. Smith met B. Jones",
        "1990. Then 1991. And",
        "No list 1. Wash 2. Dry",
        "a story b. Dry",
        "1.",
        "1. ",
    ],
)
def test_items(case: str) -> None:
    assert items(case.replace("|", ""), PLAIN) == case.split("|")


@pytest.mark.parametrize(
    "case",
    [
        "1. Mai bis 2. Mai",
        "1. Liga und 2. Liga",
        "1. Haus und 2. Hof",
        "1. Das Haus. |2. Der Hof.",
        "1. Das Haus; |2. Der Hof.",
        "1. Das Haus. 2. Mai",
    ],
)
def test_ordinals_are_no_items(case: str) -> None:
    assert items(case.replace("|", ""), ORDINALS) == case.split("|")


def test_many_items_take_linear_time() -> None:
    text = " ".join(f"{number}. Item." for number in range(1, 3_000))
    found = items(text, PLAIN)
    assert "".join(found) == text
    assert len(found) <= 1_001
