import numpy as np
import pytest
import scipy.stats

from preprocessing.examples.pairs import Plan, plan_pairs
from preprocessing.tokens.corpus import Corpus, corpus_of

CONTINUATION = np.zeros(2000, bool)
CONTINUATION[1000:] = True  # in these tests ids from 1000 on are "##" pieces


def make_corpus(seed: int = 0, documents: int = 300, longest: int = 30, words: bool = False) -> Corpus:
    """Documents of 2 to 30 sentences of 1 to `longest` tokens; with `words` four in ten tokens continue a word."""
    rng = np.random.default_rng(seed)
    content = []
    for _ in range(documents):
        document = []
        for _ in range(rng.integers(2, 31)):
            sentence = rng.integers(10, 1000, rng.integers(1, longest + 1))
            if words:
                sentence[1:] += 1000 * (rng.random(len(sentence) - 1) < 0.4)
            document.append(np.minimum(sentence, 1999).tolist())
        content.append(document)
    return corpus_of(content, rng.integers(0, 2**63, documents), CONTINUATION)


def plan(corpus: Corpus, **settings: object) -> Plan:
    defaults = {"length": 64, "short_probability": 0.1, "objective": "next-sentence", "whole_words": False, "key": 1}
    members = np.arange(corpus.documents)
    return plan_pairs(corpus, members, **{**defaults, **settings})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return make_corpus()


@pytest.mark.parametrize("length", [16, 64, 512])
def test_half_of_the_pairs_are_random(corpus: Corpus, length: int) -> None:
    rows = random_pairs = 0
    for key in range(20):
        found = plan(corpus, length=length, key=key)
        rows += found.rows
        random_pairs += int(found.is_random_next.sum())
    assert rows > 5000
    assert abs(random_pairs / rows - 0.5) < 3 * np.sqrt(0.25 / rows)


def test_half_of_the_pairs_are_random_even_where_documents_are_short() -> None:
    # Two sentences a document: where the published algorithm makes three random pairs of four.
    corpus = corpus_of([[[1, 2, 3], [4, 5]] for _ in range(3000)], np.arange(3000), CONTINUATION)
    found = plan(corpus)
    assert abs(found.is_random_next.mean() - 0.5) < 3 * np.sqrt(0.25 / found.rows)


def test_the_label_is_independent_from_one_example_to_the_next(corpus: Corpus) -> None:
    table = np.zeros((2, 2), int)
    for key in range(10):
        found = plan(corpus, key=key)
        same = found.document_a[1:] == found.document_a[:-1]
        np.add.at(table, (found.is_random_next[:-1][same].astype(int), found.is_random_next[1:][same].astype(int)), 1)
    assert table.sum() > 5000
    assert scipy.stats.chi2_contingency(table).pvalue > 1e-3


def test_a_random_segment_comes_from_another_document_each_as_likely(corpus: Corpus) -> None:
    drawn = []
    for key in range(30):
        found = plan(corpus, key=key)
        assert (found.document_b[found.is_random_next] != found.document_a[found.is_random_next]).all()
        assert (found.document_b[~found.is_random_next] == found.document_a[~found.is_random_next]).all()
        drawn.append(found.document_b[found.is_random_next])
    counts = np.bincount(np.concatenate(drawn), minlength=corpus.documents)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_true_pairs_follow_each_other_in_the_text(corpus: Corpus) -> None:
    found = plan(corpus, length=512, short_probability=0.0)
    fits = (found.a_end - found.a_start) + (found.b_end - found.b_start) < 509
    following = fits & ~found.is_random_next
    assert following.sum() > 100
    assert (found.a_end[following] == found.b_start[following]).all()
    assert np.isin(found.a_end[following], corpus.sentence_offsets).all()


@pytest.mark.parametrize("objective", ["next-sentence", "sentence-order", "none"])
@pytest.mark.parametrize("length", [8, 64])
def test_examples_fit_and_are_never_empty(corpus: Corpus, objective: str, length: int) -> None:
    found = plan(corpus, length=length, objective=objective)
    a, b = found.a_end - found.a_start, found.b_end - found.b_start
    assert (a >= 1).all()
    assert ((b >= 1) == (objective != "none")).all()
    assert (a + b).max() == length - (2 if objective == "none" else 3)


def test_sentence_order_swaps_half_of_the_pairs_within_a_document(corpus: Corpus) -> None:
    found = plan(corpus, objective="sentence-order", length=128)
    assert (found.document_a == found.document_b).all()
    swapped = found.is_random_next
    assert abs(swapped.mean() - 0.5) < 3 * np.sqrt(0.25 / found.rows)
    assert (found.b_start[swapped] < found.a_start[swapped]).all()
    assert (found.a_start[~swapped] < found.b_start[~swapped]).all()


def test_without_pairs_every_token_is_used_once_but_for_truncation(corpus: Corpus) -> None:
    found = plan(corpus, objective="none", length=64)
    used = int((found.a_end - found.a_start).sum())
    assert used + found.truncated_tokens == len(corpus.tokens)


def test_short_sequences_are_drawn_per_example() -> None:
    corpus = corpus_of([[[7]] * 100_000, [[8]] * 100_000], np.arange(2), CONTINUATION)
    always = plan(corpus, length=256, short_probability=0.0, objective="none")
    assert ((always.a_end - always.a_start)[:-1] == 254).sum() >= always.rows - 2
    sometimes = plan(corpus, length=256, short_probability=0.3, objective="none")
    for document in (0, 1):
        lengths = (sometimes.a_end - sometimes.a_start)[sometimes.document_a == document][:-1]
        # A target is drawn from 2 to 254, so 252 of 253 short ones are shorter than a full one.
        expected = 0.3 * 252 / 253
        assert abs((lengths < 254).mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / len(lengths))


def test_with_whole_words_segments_begin_and_end_between_words() -> None:
    corpus = make_corpus(1, words=True)
    starts = np.append(corpus.word_starts, True)
    cut = plan(corpus, length=32, whole_words=False)
    whole = plan(corpus, length=32, whole_words=True)
    for begin in ("a_start", "b_start"):
        assert (~starts[getattr(cut, begin)]).any(), "the test has no power"
        assert starts[getattr(whole, begin)].all()
    for end in ("a_end", "b_end"):
        assert starts[getattr(whole, end)].all()


def test_a_word_longer_than_the_sequence_is_cut_at_its_end() -> None:
    word = [1, *[1500] * 99]
    corpus = corpus_of([[word, word], [[7], [8]]], np.arange(2), CONTINUATION)
    found = plan(corpus, length=16, whole_words=True)
    assert corpus.word_starts[found.a_start].all()
    assert corpus.word_starts[found.b_start].all()
    assert ((found.a_end - found.a_start) + (found.b_end - found.b_start)).max() <= 13


def test_a_lone_last_sentence_joins_the_one_before_it() -> None:
    corpus = corpus_of([[[1] * 40, [2] * 40, [3] * 5], [[4], [5]]], np.arange(2), CONTINUATION)
    for key in range(20):
        found = plan(corpus, length=64, key=key, short_probability=0.0)
        rows = found.document_a == 0
        assert (found.b_end > found.b_start)[rows].all()
        assert rows.sum() in (2, 3)


def test_a_document_of_one_sentence_begins_no_pair_but_can_be_a_random_segment() -> None:
    corpus = corpus_of([[[1, 2]]] * 5 + [[[3], [4]]] * 5, np.arange(10), CONTINUATION)
    found = [plan(corpus, key=key) for key in range(20)]
    assert all((each.document_a >= 5).all() for each in found)
    assert any((each.document_b < 5).any() for each in found)


def test_a_single_document_gives_no_next_sentence_pairs() -> None:
    corpus = corpus_of([[[1], [2], [3]]], np.arange(1), CONTINUATION)
    assert plan(corpus).rows == 0
    assert plan(corpus, objective="sentence-order").rows > 0
    assert plan(corpus, objective="none").rows > 0


def test_members_limit_both_segments(corpus: Corpus) -> None:
    members = np.arange(0, corpus.documents, 7)
    found = plan_pairs(
        corpus, members, length=64, short_probability=0.1, objective="next-sentence", whole_words=False, key=3
    )
    assert np.isin(found.document_a, members).all()
    assert np.isin(found.document_b, members).all()


def test_a_document_s_segment_a_does_not_depend_on_the_other_documents(corpus: Corpus) -> None:
    alone = plan_pairs(
        corpus, np.array([3]), length=64, short_probability=0.1, objective="sentence-order", whole_words=False, key=5
    )
    together = plan(corpus, objective="sentence-order", key=5)
    rows = together.document_a == 3
    assert np.array_equal(together.a_start[rows], alone.a_start)
    assert np.array_equal(together.b_end[rows], alone.b_end)
