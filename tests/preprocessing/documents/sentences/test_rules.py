"""What goes on after the engine's cut, in a language of the tests' own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.documents.sentences.rules import Rules
from preprocessing.documents.sentences.table import SentenceTable

TABLE = SentenceTable(
    never_end=frozenset({"dr.", "z.b.", "phil.nat."}),
    before_numbers=frozenset({"nr.", "s."}),
    before_names=frozenset({"co.", "г."}),
    starters=frozenset({"Then", "Il", "I"}),
    ordinals=True,
    ordinals_before_capitals=True,
    ordinal_followers=frozenset({"then"}),
    spaced_dates=True,
    joined_openings=(",,",),
    after_quotations=("と",),
    after_quotations_not=("とても",),
    after_exclamations=("と",),
    speech_verbs="说",
    quotations=("『』", "””"),
)


@pytest.mark.parametrize(
    ("sentence", "following", "goes_on"),
    [
        ("He met Dr. ", "Meier.", True),
        ("He met him. ", "Meier left.", False),
        ("It is approx. ", "five.", True),
        ("it is so. ", "who knows.", False),
        ("It is so. ", "iPods sell.", False),
        ("It is so. ", "b) Next.", False),
        ("Stop! ", "she cried.", True),
        ("— Stop! ", "— she cried.", True),
        ("— Stop! ", "— She cried.", False),
        ("So it ended. ", ", or not.", True),
        ("So it ended. ", "/ And more", True),
        ("So it ended. ", '"', True),
        ("and see z.b. ", "five.", True),
        ("See s. ", "a) below.", True),
        ("About 5 co. ", "(2010).", True),
        ("About 5 men. ", "(2010).", False),
        ("In the 90. ", "XX w.", True),
        ("In the 90. ", "I went.", False),
        ("See nr. ", "5.", True),
        ("See nr. ", "(5).", True),
        ("See nr. ", "IV.", True),
        ("See nr. ", "Five.", False),
        ("It ended. ", "15 men left.", False),
        ("Smith & Co. ", "Limited.", True),
        ("Smith & Co. ", "Then it closed.", False),
        ("Smith & Co. ", "15 men left.", False),
        ("By J. ", "Smith.", True),
        ("Plan B. ", "Then C.", False),
        ("By A. ", "I. Smith.", True),
        ("Smith & Co. ", "I. Smith.", True),
        ("Smith & Co. ", "I went.", False),
        ("The U.S. ", "Army.", True),
        ("The U.S. ", "Then it ended.", False),
        ("On the 3. ", "May.", True),
        ("On the 3. ", "Il dit.", False),
        ("On the 1990. ", "May.", False),
        ("On p. 3 and s. 5. ", "May.", False),
        ("In the 3. ", "then.", True),
        ("In the 3. ", "Then.", True),
        ("On 3. ", "5. 1990", True),
        ("In 1990. ", "5 men.", False),
        ("1. ", "Then it ended.", True),
        ("The price is 3.", "Army.", True),
        ("The price is 1000.", "Army.", False),
        ("Цена ۳.", "۵", True),
        ("He said ,,Go!” ", ",,Why?”", True),
        ("He said: Go! ", ",,Why?”", False),
        ("Built, 1898 г. ", "Then it fell.", True),
        ("In 1898 г. ", "Then it fell.", False),
        ("「行く。」", "と言った。", True),
        ("「行く。」", "とても。", False),
        ("行く。", "と言った。", False),
        ("なぜ？", "と言った。", True),
        ("なぜ？", "とても。", False),
        ("“好。”", "他说。", True),
        ("“好。”", "他走了很远的路说。", False),
        ("It costs z. ", "B. five.", True),
    ],
)
def test_goes_on(sentence: str, following: str, goes_on: bool) -> None:
    assert Rules(TABLE).goes_on(sentence, following) is goes_on


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        (["One. ", "Two."], ["One. ", "Two."]),
        (["Dr. ", "A. ", "Meier. ", "Two."], ["Dr. A. Meier. ", "Two."]),
        (['He left. "', 'Why?" '], ["He left. ", '"Why?" ']),
        (["『はい。", "いいえ。", "』彼は。"], ["『はい。いいえ。』彼は。"]),
        (["”Ja. ", "Nej.” ", "Hon kom."], ["”Ja. Nej.” ", "Hon kom."]),
        (["For 3 yrs. ", "and 2 mos. ", "at sea. ", "Then."], ["For 3 yrs. and 2 mos. at sea. ", "Then."]),
        (["Hi. ", "me. ", "you. ", "he. ", "she. ", "it."], ["Hi. me. you. ", "he. ", "she. ", "it."]),
        (["Hi. ", "me. ", "you. ", "Then. ", "we. ", "it."], ["Hi. me. you. ", "Then. we. it."]),
    ],
)
def test_joined(pieces: list[str], joined: list[str]) -> None:
    assert Rules(TABLE).joined(pieces, 5_000, True) == joined


def test_the_number_of_an_item_stays_with_it() -> None:
    rules = Rules(SentenceTable())
    assert rules.joined(["1. ", "2. ", "3. ", "Go."], 5_000, False) == ["1. ", "2. ", "3. Go."]


@pytest.mark.parametrize(
    ("text", "quoted"), [("『a』", True), ("『a", False), ("”a”", True), ("«a»", False), ("", False)]
)
def test_quotes(text: str, quoted: bool) -> None:
    assert Rules(TABLE).quotes(text) is quoted


def test_a_quotation_that_is_never_closed_swallows_a_bounded_length() -> None:
    pieces = ["『Open. ", *["Sentence. "] * 500]
    joined = Rules(TABLE).joined(pieces, 5_000, True)
    assert 300 < len(joined[0]) < 500
    assert joined[1:] == ["Sentence. "] * (len(joined) - 1)


def test_nothing_is_joined_to_a_sentence_that_is_long_enough() -> None:
    joined = Rules(TABLE).joined(["Dr. "] * 1_000, 100, False)
    assert {len(sentence) for sentence in joined} == {100}


_WORDS = st.sampled_from(
    [
        "Dr. ",
        "One ",
        "vii. ",
        "phil. ",
        "two. ",
        "Co. ",
        "Then ",
        "3. ",
        "A. ",
        "z. ",
        "B. ",
        "why? ",
        '"',
        ", ",
        "12 ",
        "(",
        "U.S. ",
        "x.",
        "』",
    ]
)


@given(st.lists(st.lists(_WORDS, min_size=1, max_size=3).map("".join), min_size=1, max_size=8))
def test_the_quick_decision_is_the_slow_one(pieces: list[str]) -> None:
    """Where the common case is decided at once, `goes_on` says the same; and joining neither adds nor drops."""
    rules = Rules(TABLE)
    assert "".join(rules.joined(pieces, 5_000, False)) == "".join(pieces)
    for (before, piece), ends in zip(pairwise(pieces), rules._plain_ends(pieces), strict=True):
        if ends:
            assert not rules.goes_on(before, piece)
            assert not rules.goes_on("z. " + before, piece)
