"""What ends a sentence in each language that has a table, and what does not: `cases/` has a file a language.

A line is a paragraph, in which `|` stands where a sentence ends.
"""

from pathlib import Path

import pytest

from preprocessing.documents.sentences import Segmenter
from preprocessing.documents.sentences.table import sentence_table
from preprocessing.languages import LANGUAGES

_CASES = {
    file.stem: file.read_text(encoding="utf-8").splitlines() for file in (Path(__file__).parent / "cases").iterdir()
}


@pytest.mark.parametrize(
    ("language", "case"), [(language, line) for language, lines in sorted(_CASES.items()) for line in lines]
)
def test_ends_of_sentences(language: str, case: str) -> None:
    wanted = [sentence.strip() for sentence in case.split("|")]
    assert Segmenter(language).segment([case.replace("|", "")]) == wanted


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_table_has_cases(language: str) -> None:
    assert not sentence_table(language) or len(_CASES[language]) >= 5


def test_languages_that_share_a_table_share_its_sentences() -> None:
    for line in _CASES["no"]:
        text = line.replace("|", "")
        assert Segmenter("nb").segment([text]) == Segmenter("nn").segment([text]) == Segmenter("no").segment([text])
