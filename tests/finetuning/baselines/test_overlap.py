"""A part of a paragraph by overlap, on paragraphs where it is plain what is meant."""

import pytest

from finetuning.baselines.overlap import Overlap
from finetuning.kinds.loading import load_task
from finetuning.kinds.rows import SpanRow

CONTEXT = "The tower was built in Lyon by Ann Lee. It fell in 1950. The river İs long, and the bridge is of stone."


@pytest.fixture
def learnt() -> Overlap:
    learner = Overlap()
    common = SpanRow("t", "", "", "the was in by it is of and long " * 3, ())
    learner.learn(load_task("squad1"), [common], (), 1)
    return learner


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where was the tower built?", "Lyon"),
        ("What fell in the year?", "1950"),
        ("Of what is the bridge?", "stone"),
        ("By whom, in Lyon, was the tower built?", "Ann Lee"),
    ],
)
def test_the_nearest_rare_words_of_the_sentence_that_shares_most(learnt: Overlap, question: str, answer: str) -> None:
    text, share = learnt.answer(question, CONTEXT)
    assert text == answer
    assert text in CONTEXT
    assert 0 < share <= 1


def test_a_sentence_without_a_candidate_is_passed_over(learnt: Overlap) -> None:
    assert learnt.answer("is it in?", "It is in. Oslo was it.")[0] == "Oslo"
    assert learnt.answer("is it in?", "It is in.") == ("It", 0.0)
    assert learnt.answer("?", "") == ("", 0.0)


def test_null_odds_fall_with_the_share_of_the_question(learnt: Overlap) -> None:
    rows = [SpanRow(str(n), "", question, CONTEXT, ()) for n, question in enumerate(("The tower?", "Why war?"))]
    shared, strange = learnt.answers(rows)
    assert shared.null_odds == -1.0
    assert strange.null_odds == 0.0
    assert shared.best_span == shared.prediction
