import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.documents.sentences import SENTENCE_CHARACTERS, Segmenter
from preprocessing.errors import PreprocessingError
from preprocessing.languages import LANGUAGES


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


_LETTERS = st.sampled_from(
    [
        *"aAbZ.,;:!?…()\"'«»„“”「」『』（）1290 -—/•\n\t",
        "。",
        "！",
        "Dr. ",
        "z. B. ",
        "3. ",
        "г. ",
        "। ",
        "؟ ",
        "U.S. ",
        "II. ",
        "1. ",
        "2. ",
    ]
)


@settings(max_examples=25)
@pytest.mark.parametrize("language", sorted(LANGUAGES | {"eo", "zh-hant"}))
@given(text=st.lists(_LETTERS, max_size=120).map("".join))
def test_no_text_loses_a_character(language: str, text: str) -> None:
    """Whatever it is made of: the sentences are the text, but for white space, and none is empty."""
    sentences = Segmenter(language).segment([text])
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence == sentence.strip() != "" for sentence in sentences)


@settings(max_examples=10)
@given(texts=st.lists(st.text(max_size=60), max_size=6))
def test_paragraphs_do_not_influence_each_other(texts: list[str]) -> None:
    """What a segmenter has seen before changes nothing: a worker's share of the documents must not show."""
    for language in ("de", "en", "ja"):
        used = Segmenter(language)
        assert used.segment(texts) == [s for text in texts for s in Segmenter(language).segment([text])]


@pytest.mark.parametrize("language", ["de", "en", "fr", "ja", "ru"])
@pytest.mark.parametrize(
    "unit",
    [
        "Dr. ",
        "z. B. ",
        "3. ",
        "A. ",
        "(A. B) ",
        "… ",
        "「。」",
        "『。",
        "? a ",
        '" ',
        "(a.) ",
        "1. A ",
        "A.B.C.",
        ",,A.” ",
        "）。（",
    ],
)
def test_what_repeats_without_end_is_cut_and_nothing_is_lost(language: str, unit: str) -> None:
    text = unit * (30_000 // len(unit))
    sentences = Segmenter(language).segment([text])
    assert "".join(sentences).replace(" ", "") == text.replace(" ", "")
    assert max(map(len, sentences)) <= SENTENCE_CHARACTERS


def test_time_is_linear_in_the_paragraph() -> None:
    """Counted in calls of Python's functions, since nothing is timed in a test."""
    segmenter = Segmenter("de")
    segmenter.segment(["Dr. A. z. B. 3. Mai (a. B.) … Er ging. " * 10])

    def calls(text: str) -> int:
        count = 0

        def counted(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            segmenter.segment([text])
        finally:
            sys.setprofile(None)
        return count

    text = "Dr. A. z. B. 3. Mai (a. B.) … Er ging. " * 500
    assert calls(text * 4) < 4.5 * calls(text)


def test_windows_see_the_same_sentences() -> None:
    """A paragraph that is read by windows gives the sentences of its parts, abbreviations at the windows' ends too."""
    part = "Am 3. Mai kam Dr. A. Meier, z. B. mit dem 2. Zug. Er blieb usw. Dann ging er im 19. Jahrhundert nach Haus. "
    segmenter = Segmenter("de")
    assert segmenter.segment([part * 300]) == segmenter.segment([part]) * 300


def test_a_language_without_a_table_is_left_to_the_engine() -> None:
    import sentencex

    text = "S-ro Zamenhof vivis. Li mortis en 1917. d-ro Kovács skribis… Kaj li diris. (Jes.) Fino."
    assert Segmenter("eo").segment([text]) == [sentence.strip() for sentence in sentencex.segment("eo", text)]


def test_a_variant_has_the_table_of_its_language() -> None:
    assert Segmenter("zh-hant").segment(["他說：『你好。再見。』的時候"]) == ["他說：『你好。再見。』的時候"]
    assert Segmenter("de-at").segment(["Am 3. Jänner."]) == ["Am 3. Jänner."]
    assert Segmenter("simple").segment(["See Fig. 3."]) == ["See Fig. 3."]


@pytest.mark.parametrize(
    "sentence",
    [
        "Am 3. Mai kam Dr. Meier, z. B. mit Nr. 5.",
        "1. Reis waschen.",
        "Ja …",
        "„Komm!“, rief sie.",
        "Karl XIV. regierte.",
    ],
)
def test_a_sentence_is_one_sentence(sentence: str) -> None:
    assert Segmenter("de").segment([sentence]) == [sentence]


def test_the_engine_of_the_tables_cuts_after_abbreviations_of_any_language() -> None:
    """The tables rest on this property of `sentencex`: what is not cut, they cannot join."""
    import sentencex

    from preprocessing.documents.sentences.table import SentenceTable

    engine = SentenceTable().engine
    text = "Dr. Al. Mr. Al. Inc. Al. Sr. Al. etc. Al. Am 3. Mai. 5. Al."
    assert len(sentencex.segment(engine, text)) == text.count(".")


def test_inches_come_out_as_they_were_written() -> None:
    assert Segmenter("en").segment(['A 12" single. A 7" one.']) == ['A 12" single.', 'A 7" one.']
    assert Segmenter("xx").segment(['A 12" single. A 7" one.']) == ['A 12" single.', 'A 7" one.']


@pytest.mark.parametrize("language", sorted(LANGUAGES | {"sw", "hyw"}))
def test_text_without_the_marks_of_ascii_is_one_sentence(language: str) -> None:
    """What stands in brackets or quotation marks and holds none of them is therefore not shown to the engine."""
    segmenter = Segmenter(language)
    shapes = (
        "Ab{0} Cd de",
        "ab{0}cd",
        "{0} Ab {0}{0} B",
        "12{0} 3{0} Ab",
        "a{0} Bc b{0} De",
        "1 Ab {0}2 Cd",
        "({0}1 A",
    )
    for mark in map(chr, range(0x20, 0x7F)):
        for text in (shape.format(mark) for shape in shapes):
            if segmenter._cut(text) != [text]:
                assert segmenter._cut_quoted(text) == segmenter._cut(text)


@given(
    st.sampled_from(sorted(LANGUAGES)), st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40)
)
@settings(max_examples=300)
def test_the_quick_way_inside_quotations_is_the_slow_one(language: str, text: str) -> None:
    segmenter = Segmenter(language)
    if text:  # as every quotation has
        assert segmenter._cut_quoted(text) == segmenter._cut(text)
