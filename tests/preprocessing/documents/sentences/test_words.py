"""The kinds of the last word of a sentence."""

import pytest

from preprocessing.documents.sentences import words
from preprocessing.documents.sentences.table import SentenceTable
from preprocessing.documents.sentences.words import TAIL_CHARACTERS, Words

TABLE = SentenceTable(
    never_end=frozenset({"dr.", "z.b.", "u.s.w."}),
    before_numbers=frozenset({"nr.", "Mar."}),
    before_names=frozenset({"co."}),
    ordinals=True,
    spaced_dates=True,
    elision=True,
    prefixes="ו",
)


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("A plain word. ", 0),
        ("No full stop ", 0),
        ("And more... ", 0),
        ("Why? ", 0),
        ("Der Dr. ", words.NEVER_ENDS),
        ("(dr.", words.NEVER_ENDS),
        ("l'Dr. ", words.NEVER_ENDS),
        ("והוא וdr. ", 0),
        ("הוא ווnr. ", 0),
        ("והוא וnr. ", words.BEFORE_NUMBERS),
        ("Das Z.B. ", words.NEVER_ENDS | words.ACRONYM),
        ("Das z. ", words.ITEM_MARKER | words.PART_OF_ABBREVIATION),
        ("Die Nr.   ", words.BEFORE_NUMBERS),
        ("Am Mar. ", words.BEFORE_NUMBERS),
        ("Am mar. ", 0),
        ("Und Co. ", words.BEFORE_NAMES),
        ("Am 3. ", words.ORDINAL | words.PART_OF_DATE | words.ITEM_MARKER),
        ("Seit 1990. ", words.ITEM_MARKER),
        ("Über 12345. ", 0),
        ("Karl XIV. ", words.ORDINAL | words.ITEM_MARKER),
        ("Von J. ", words.INITIAL | words.ITEM_MARKER),
        ("Von А. ", words.INITIAL | words.ITEM_MARKER),
        ("Von J.-P. ", words.INITIAL | words.ACRONYM),
        ("The U.S.A. ", words.ACRONYM),
        ("Yes (나. ", 0),
    ],
)
def test_last(sentence: str, kind: int) -> None:
    known = Words(TABLE)
    if "וdr" in sentence:  # a letter that may stand before a word
        kind = words.NEVER_ENDS
    assert known.last(sentence) & ~words.FULL_STOP == kind
    assert known.last(sentence) & ~words.FULL_STOP == kind, "the second answer is the remembered one"
    if kind:
        assert known.last(sentence) & words.FULL_STOP


@pytest.mark.parametrize(
    ("sentence", "following", "kind"),
    [
        ("Das gilt z. B. ", "hier", words.NEVER_ENDS),
        ("Das gilt z. ", "B. hier", words.NEVER_ENDS),
        ("Usw. und u. ", "s. w. hier", words.NEVER_ENDS),
        ("Usw. und u. s. ", "w. hier", words.NEVER_ENDS),
        ("Das gilt z. ", "Hier. ", 0),
        ("Das gilt B. ", "hier", 0),
    ],
)
def test_spelled_apart(sentence: str, following: str, kind: int) -> None:
    assert Words(TABLE).spelled_apart(sentence, following) & words.NEVER_ENDS == kind


@pytest.mark.parametrize(
    "sentence", ["Der Dr. ", "Am 3. ", "z. B. ", "Von J. ", "The U.S.A. ", "Und Co. ", "l'Dr. ", "Mar. "]
)
def test_no_word_of_any_kind_has_a_plain_tail(sentence: str) -> None:
    known = Words(TABLE)
    assert known.last(sentence)
    assert not known.is_plain_tail(sentence[-TAIL_CHARACTERS:])


@pytest.mark.parametrize("sentence", ["A plain word. ", "Why not? ", "He is. ", "Go! ", 'He said: "Go!" '])
def test_plain_tails(sentence: str) -> None:
    assert Words(TABLE).is_plain_tail(sentence[-TAIL_CHARACTERS:])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_REMEMBERED", 10)
    known = Words(TABLE)
    for number in range(100):
        known.last(f"Word{number}. ")
        known.is_plain_tail(f"{number}d. ")
    assert len(known._kinds) <= 10
    assert len(known.plain_tails) <= 10
