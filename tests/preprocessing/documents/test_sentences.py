from pathlib import Path

import pytest

from preprocessing.documents.sentences import SENTENCE_CHARACTERS, Segmenter
from preprocessing.errors import PreprocessingError


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


SPEECH = (
    '"He did not know what he was talking of, I dare say; ten to one but he was light-headed at the time. Had he been '
    'in his right senses, he could not have thought of such a thing. You will see," she said, and left. He stayed.'
)


@pytest.mark.parametrize("marks", ['""', "“”", "«»", "„“", "‘’", "`'", "「」", "()"])
def test_long_speeches_are_cut_and_short_ones_are_not(marks: str) -> None:
    speech = SPEECH.replace('"', marks[0], 1).replace('"', marks[1], 1)
    assert Segmenter("en").segment([speech]) == [
        f"{marks[0]}He did not know what he was talking of, I dare say; ten to one but he was light-headed at the "
        "time.",
        "Had he been in his right senses, he could not have thought of such a thing.",
        f"You will see,{marks[1]} she said, and left.",
        "He stayed.",
    ]
    short = f"{marks[0]}No. Not now,{marks[1]} she said."
    assert Segmenter("en").segment([short]) == [short]


def test_long_paragraphs_are_cut_as_short_ones(shared_data: Path) -> None:
    """Paragraphs of plain prose give the same sentences alone and as one paragraph, which is read by windows."""
    text = (shared_data / "books" / "persuasion.txt").read_text()
    blocks = [" ".join(block.split()) for block in text.split("\n\n")]
    prose = [block for block in blocks if len(block) > 300 and block.endswith(".") and not set(block) & set("\"'()")]
    assert sum(map(len, prose)) > 30_000
    segmenter = Segmenter("en")
    assert segmenter.segment([" ".join(prose)]) == segmenter.segment(prose)


@pytest.mark.parametrize("text", ["(" * 60_000, '"' * 60_000, "‘a " * 30_000, "`a " * 30_000, "“a. B " * 10_000])
def test_marks_that_never_close_lose_nothing(text: str) -> None:
    sentences = Segmenter("en").segment([text])
    assert "".join(sentences).replace(" ", "") == text.replace(" ", "")


def test_the_segmenter_returns_every_character() -> None:
    """Windows rest on this property of `sentencex`."""
    import sentencex

    for language in ("en", "de", "zh", "hi", "ar"):
        for text in ('"Go!" (now)… e.g. Dr. X. «Oui?» 你好。再见！ यह। 👩\u200d🔬.', "...", " a  b ", "no end"):
            assert "".join(sentencex.segment(language, text)) == text
