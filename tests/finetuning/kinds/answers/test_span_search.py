"""The search for the best spans, against trying all of them."""

import numpy as np
import pytest

from finetuning.kinds.answers.span_search import SpanAnswer, _top, span_answers
from finetuning.kinds.encoding.layout import ContextMap, EncodedSplit
from finetuning.kinds.encoding.truncation import cut_of
from finetuning.kinds.encoding.windows import encode_windows
from finetuning.kinds.loading import load_task
from finetuning.kinds.metrics import squad
from finetuning.kinds.rows import SpanRow
from preprocessing.tokens.tokenizer import Tokenizer


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["squad1", "squad2"])
def test_answers_equal_an_exhaustive_search(seed: int, name: str, tokenizer: Tokenizer) -> None:
    task = load_task(name).model_copy(
        update={"max_query_length": 6, "document_stride": 4, "max_answer_length": 3, "n_best": 500}
    )
    context = "the cat sat on the mat near the red house he ran"
    rows = [SpanRow(str(n), "", "who ran", context, (("the cat", 0),)) for n in range(3)]
    split = encode_windows(task, rows, tokenizer, 14)
    assert split.context is not None
    logits = np.random.default_rng(seed).normal(size=(len(split.input_ids_t), 2)).astype(np.float32)
    results = span_answers(task, rows, split, logits)
    for number, answer in enumerate(results):
        best: tuple[float, str] = (-np.inf, "")
        null = np.inf
        for sequence in np.flatnonzero(split.row_i == number):
            low, high = split.offsets_s[sequence], split.offsets_s[sequence + 1]
            null = min(null, float(logits[low, 0] + logits[low, 1]))
            inside = range(low + split.context.first_s[sequence], high - 1)
            for start in inside:
                for end in inside:
                    if 0 <= end - start < 3 and split.context.is_best_t[start]:
                        value = float(logits[start, 0] + logits[end, 1])
                        text = context[split.context.chars_t2[start, 0] : split.context.chars_t2[end, 1]]
                        best = max(best, (value, text))
        assert answer.best_span == best[1]
        assert answer.null_odds == pytest.approx(null - best[0], abs=1e-5)
        expected = "" if name == "squad2" and null > best[0] else best[1]
        assert answer.text == expected
        assert sum(share for _, share in answer.n_best) == pytest.approx(1.0, abs=1e-4)
        assert ("" in dict(answer.n_best)) == (name == "squad2")


def one_window(context: str, best: list[bool] | None = None) -> tuple[EncodedSplit, SpanRow]:
    """`[CLS] q [SEP] context [SEP]`, a piece for each word of the context, and its row."""
    words, places, start = context.split(), [], 0
    for word in words:
        begin = context.index(word, start)
        start = begin + len(word)
        places.append((begin, start))
    pieces = len(words) + 4
    chars = np.array([(0, 0), (0, 0), (0, 0), *places, (0, 0)], np.int32)
    is_best = np.array([False] * 3 + (best or [True] * len(words)) + [False])
    first = np.array([3], np.int32)
    split = EncodedSplit(
        np.zeros(pieces, np.int32),
        np.array([0, pieces], np.int64),
        first,
        np.zeros(1, np.int64),
        np.zeros((1, 2), np.int64),
        cut_of(np.zeros(1, np.int64), 1, 1, 9),
        context=ContextMap(first, chars, is_best),
    )
    return split, SpanRow("q", "", "q", context, (("x", 0),))


def answered(
    name: str,
    context: str,
    starts: list[float],
    ends: list[float],
    null: tuple[float, float] = (0.0, 0.0),
    threshold: float | None = None,
    **settings: int,
) -> SpanAnswer:
    """The answer where the context's words have these logits, and [CLS] has `null`."""
    split, row = one_window(context)
    logits = np.full((len(split.input_ids_t), 2), 99.0, np.float32)  # outside the context nothing may be read
    logits[0] = null
    logits[3:-1, 0], logits[3:-1, 1] = starts, ends
    task = load_task(name).model_copy(update=settings)
    given = {} if threshold is None else {"threshold": threshold}
    (answer,) = span_answers(task, [row], split, logits, **given)
    return answer


def test_probabilities_are_those_of_the_texts_kept() -> None:
    answer = answered("squad1", "one two", [2.0, 0.0], [1.0, 0.0], max_answer_length=1)
    assert answer.text == answer.best_span == "one"
    assert [text for text, _ in answer.n_best] == ["one", "two"]
    assert [share for _, share in answer.n_best] == pytest.approx([1 / (1 + np.exp(-3)), 1 / (1 + np.exp(3))])


def test_high_scores_do_not_overflow() -> None:
    answer = answered("squad1", "one two", [400.0, 399.0], [400.0, 400.0], max_answer_length=1)
    assert [share for _, share in answer.n_best] == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])


def test_of_equal_scores_the_first_are_the_best() -> None:
    scores = np.random.default_rng(0).integers(0, 3, 1000).astype(np.float32)
    expected = sorted(range(1000), key=lambda index: (-scores[index], index))
    assert _top(scores, 500).tolist() == expected[:500]


def test_a_text_that_occurs_twice_counts_once_by_its_best_place() -> None:
    answer = answered("squad1", "ox cow ox", [0.0, 1.0, 3.0], [0.0, 0.0, 0.0], max_answer_length=1)
    assert [text for text, _ in answer.n_best] == ["ox", "cow"]
    assert answer.null_odds == pytest.approx(-3.0)


def test_no_more_texts_are_kept_than_asked_for() -> None:
    answer = answered("squad1", "a b c d", [4.0, 3.0, 2.0, 1.0], [4.0, 3.0, 2.0, 1.0], n_best=2, max_answer_length=4)
    assert [text for text, _ in answer.n_best] == ["a", "a b"]


def test_of_equal_spans_the_first_in_the_text_is_taken() -> None:
    answer = answered("squad1", "a b c", [1.0] * 3, [1.0] * 3, max_answer_length=3, n_best=9)
    assert [text for text, _ in answer.n_best] == ["a", "a b", "a b c", "b", "b c", "c"]


def test_only_the_best_starts_and_ends_are_combined() -> None:
    assert answered("squad1", "a b", [5.0, 0.0], [0.0, 5.0], n_best=1, max_answer_length=2).text == "a b"
    assert answered("squad1", "a b", [0.0, 1.0], [1.0, 0.0], n_best=1).text == "", "the best start lies behind the end"
    assert answered("squad1", "a b", [0.0, 1.0], [1.0, 0.0], n_best=2, max_answer_length=1).text == "a"


def test_the_longest_answer_has_as_many_pieces_as_allowed() -> None:
    answer = answered("squad1", "a b c", [9.0, 0.0, 0.0], [0.0, 5.0, 9.0], max_answer_length=2)
    assert answer.text == "a b"


@pytest.mark.parametrize(
    ("null", "threshold", "text"),
    [(3.0, None, "a"), (2.0, None, "a"), (3.5, None, ""), (3.5, 0.5, "a"), (3.5, 0.25, ""), (1.0, -3.0, "")],
)
def test_no_answer_is_given_above_the_threshold(null: float, threshold: float | None, text: str) -> None:
    answer = answered("squad2", "a", [1.0], [2.0], (null, 0.0), threshold)
    assert (answer.text, answer.best_span, answer.null_odds) == (text, "a", pytest.approx(null - 3.0))
    assert dict(answer.n_best)[""] == pytest.approx(1 / (1 + np.exp(3.0 - null)))
    assert [share for _, share in answer.n_best] == sorted((share for _, share in answer.n_best), reverse=True)


def test_where_questions_have_answers_one_is_given_however_likely_none_is() -> None:
    answer = answered("squad1", "a", [1.0], [2.0], (9.0, 9.0))
    assert (answer.text, answer.null_odds) == ("a", pytest.approx(15.0))
    assert answer.n_best == (("a", pytest.approx(1.0)),)


@pytest.mark.parametrize("name", ["squad1", "squad2"])
def test_a_paragraph_without_text_has_no_answer(name: str) -> None:
    answer = answered(name, "", [], [], (1.0, 1.0))
    assert answer == SpanAnswer("", "", squad.NEVER, (("", 1.0),))


def test_an_answer_starts_where_its_window_is_best_and_none_where_it_is_likeliest_not() -> None:
    task = load_task("squad2").model_copy(update={"max_answer_length": 2})
    split, row = one_window("a b c", [False, True, True])
    two = EncodedSplit(
        np.tile(split.input_ids_t, 2),
        np.array([0, 7, 14], np.int64),
        np.tile(split.segment_b_start_s, 2),
        np.array([0, 0]),
        np.tile(split.labels, (2, 1)),
        cut_of(np.zeros(1, np.int64), 1, 1, 9),
        context=ContextMap(
            np.array([3, 3], np.int32),
            np.tile(split.context.chars_t2, (2, 1)),  # type: ignore[union-attr]
            np.concatenate([split.context.is_best_t, ~split.context.is_best_t]),  # type: ignore[union-attr]
        ),
    )
    logits = np.zeros((14, 2), np.float32)
    logits[0], logits[7] = (4.0, 1.0), (1.0, 2.0)  # no answer: 5 in the first window, 3 in the second
    logits[3, 0], logits[4, 0], logits[10, 0] = 9.0, 1.0, 2.0
    (answer,) = span_answers(task, [row], two, logits)
    assert answer.best_span == "a"  # of the second window: the first one sees more to the left of it than this
    assert answer.null_odds == pytest.approx(3.0 - 2.0)
