from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sentences import SENTENCE_CHARACTERS, Segmenter


@pytest.mark.parametrize(
    ("language", "paragraph", "expected"),
    [
        ("en", "One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("en", "Mr. Smith met Dr. A. B. Jones. He left.", ["Mr. Smith met Dr. A. B. Jones.", "He left."]),
        ("en", "It cost 3.5 dollars. Then no. 5 came.", ["It cost 3.5 dollars.", "Then no. 5 came."]),
        ("en", 'He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("de", "Das ist z.B. gut. Ja.", ["Das ist z.B. gut.", "Ja."]),
        ("zh", "你好。我是人。再见！", ["你好。", "我是人。", "再见！"]),
        ("hi", "यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
        ("zh-classical", "Plain. Text.", ["Plain.", "Text."]),
    ],
)
def test_sentences(language: str, paragraph: str, expected: list[str]) -> None:
    assert Segmenter(language).segment([paragraph]) == expected


def test_a_sentence_never_crosses_a_paragraph() -> None:
    assert Segmenter("en").segment(["no full stop", "here either", " "]) == ["no full stop", "here either"]


@pytest.mark.parametrize("text", ["word " * 5000, "x" * 12_001, "x" * 5001 + " y"])
def test_endless_sentences_are_cut_and_nothing_is_lost(text: str) -> None:
    sentences = Segmenter("en").segment([text])
    assert max(map(len, sentences)) <= SENTENCE_CHARACTERS
    assert "".join(sentences).replace(" ", "") == text.replace(" ", "")
    assert all(sentence == sentence.strip() != "" for sentence in sentences)


def test_real_prose_loses_no_character(shared_data: Path) -> None:
    text = " ".join((shared_data / "books" / "persuasion.txt").read_text().split())
    sentences = Segmenter("en").segment([text])
    assert " ".join(sentences).replace(" ", "") == text.replace(" ", "")
    assert 2000 < len(sentences) < 5000


@pytest.mark.parametrize("language", ["", "e", "en_US", "../x", "123"])
def test_what_is_no_language_code_is_refused(language: str) -> None:
    with pytest.raises(PreprocessingError, match="is not a language code"):
        Segmenter(language)
