"""The reference recipe against examples worked out by hand from the published algorithm.

`Scripted` stands in for `random.Random`: every draw is written down, in the order in which google-research/bert's
create_pretraining_data asks for it, and so is the result that follows from it. The order of draws is

1. shuffle the documents;
2. for each duplicate and document: random() < short_seq_prob, then perhaps randint(2, room) for the target;
3. for each chunk: randint(1, sentences - 1) for the end of A if the chunk has two sentences or more, and then, only
   for these, random() < 0.5 for "random next"; if random: randint(0, documents - 1) until it is another document, ten
   times at most, and randint(0, sentences - 1) for where B starts;
4. for each token too many: random() < 0.5 takes it from the front of the longer segment, else from its back;
5. shuffle the candidates for masks; for each: random() < 0.8 shows [MASK]; else random() < 0.5 shows the token itself;
   else randint(0, vocabulary - 1) is shown;
6. shuffle all examples.
"""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from preprocessing.examples.options import ExampleOptions
from preprocessing.examples.reference_examples import build_reference_examples
from preprocessing.examples.reference_recipe import (
    Instance,
    ReferenceVocabulary,
    create_instances,
    mask_tokens,
    truncate_pair,
)
from preprocessing.tokens.corpus import corpus_of
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, build

CONTINUATION = np.array([False] * 50 + [True] * 50)  # in these tests ids from 50 on are "##" pieces
VOCABULARY = ReferenceVocabulary(cls_id=2, sep_id=3, mask_id=4, size=100, is_continuation=CONTINUATION)
OPTIONS = ExampleOptions(recipe="reference")


class Scripted(random.Random):
    """Gives back prepared draws and refuses any other: "r" a random(), "i" (low, high, value), "s" the new order."""

    def __init__(self, *draws: tuple[Any, ...]) -> None:
        super().__init__(0)
        self.draws = list(draws)

    def _next(self, kind: str) -> tuple[Any, ...]:
        draw = self.draws.pop(0)
        assert draw[0] == kind, f"asked for {kind}, prepared is {draw}"
        return draw

    def random(self) -> float:
        return self._next("r")[1]

    def randint(self, a: int, b: int) -> int:
        _, low, high, value = self._next("i")
        assert (low, high) == (a, b)
        return value

    def shuffle(self, x: Any) -> None:
        order = self._next("s")[1]
        if order is not None:
            x[:] = [x[index] for index in order]


def test_two_documents_worked_out_by_hand() -> None:
    documents = [[[10, 11], [12], [13, 14, 15]], [[20], [21, 22]]]
    rng = Scripted(
        ("s", None),
        # Document 0: not short, so the target is the room, 10 - 3 = 7. 2 + 1 + 3 = 6 tokens: the chunk ends with
        # the document and holds all three sentences.
        ("r", 0.1),
        ("i", 1, 2, 1),  # A = [10, 11]
        ("r", 0.49),  # random next; 7 - 2 = 5 tokens wanted
        ("i", 0, 1, 0),  # the document itself: again
        ("i", 0, 1, 1),
        ("i", 0, 1, 0),  # B = [20, 21, 22], all there is; sentences 1 and 2 go back
        # [CLS] 10 11 [SEP] 20 21 22 [SEP]: max(1, round(8 × 0.15)) = 1 mask, of candidates 1 2 4 5 6
        ("s", [3, 0, 1, 2, 4]),
        ("r", 0.79),  # position 5 shows [MASK]
        # The rest: sentences 1 and 2, 4 tokens, ends with the document.
        ("i", 1, 1, 1),  # A = [12]
        ("r", 0.5),  # is next: B = [13, 14, 15]
        # [CLS] 12 [SEP] 13 14 15 [SEP]: 1 mask, of candidates 1 3 4 5
        ("s", None),
        ("r", 0.8),
        ("r", 0.5),
        ("i", 0, 99, 0),  # position 1 shows id 0, which is [PAD]: the published recipe does that
        # Document 1: short, target 2. The first sentence has one token, the second makes it three.
        ("r", 0.05),
        ("i", 2, 7, 2),
        ("i", 1, 1, 1),  # A = [20]
        ("r", 0.9),  # is next: B = [21, 22]
        # [CLS] 20 [SEP] 21 22 [SEP]: max(1, round(0.9)) = 1 mask, of candidates 1 3 4
        ("s", [2, 1, 0]),
        ("r", 0.85),
        ("r", 0.3),  # position 4 shows itself
        ("s", [2, 0, 1]),
    )
    actual = create_instances(documents, VOCABULARY, 10, 1, OPTIONS, rng)
    assert rng.draws == []
    assert actual == [
        Instance([2, 20, 3, 21, 22, 3], 3, [4], [22], ["original"], False, 1, 1, 0),
        Instance([2, 10, 11, 3, 20, 4, 22, 3], 4, [5], [21], ["mask"], True, 0, 1, 0),
        Instance([2, 0, 3, 13, 14, 15, 3], 3, [1], [12], ["random"], False, 0, 0, 0),
    ]


def test_a_chunk_of_one_sentence_is_always_random_next_and_ten_tries_may_find_the_same_document() -> None:
    rng = Scripted(
        ("s", None),
        ("r", 0.5),
        # One sentence: neither A's end nor the label is drawn.
        *[("i", 0, 0, 0)] * 10,  # ten tries, always the document itself, which is used
        ("i", 0, 0, 0),
        ("s", None),
        ("r", 0.1),
        ("s", None),
    )
    actual = create_instances([[[10, 11]]], VOCABULARY, 10, 1, OPTIONS, rng)
    assert rng.draws == []
    assert actual == [Instance([2, 4, 11, 3, 10, 11, 3], 4, [1], [10], ["mask"], True, 0, 0, 0)]


def test_truncation_shortens_the_longer_segment_at_its_front_or_back() -> None:
    a, b = [1, 2, 3, 4, 5, 6], [7, 8, 9, 10]
    # A is longer: front, then back; now both have four and B goes, back; then A is the longer again: front.
    truncate_pair(a, b, 6, Scripted(("r", 0.49), ("r", 0.5), ("r", 0.99), ("r", 0.0)))
    assert (a, b) == ([3, 4, 5], [7, 8, 9])


def whole_words(**settings: Any) -> ExampleOptions:
    return ExampleOptions(recipe="reference", whole_word_masking=True, **settings)


def test_whole_words_skip_what_is_over_budget_and_draw_per_piece() -> None:
    # Words: [10], [11 60 61], [12], [13]; nine tokens, max(1, round(1.35)) = 1 mask: the long word never fits.
    tokens = [2, 10, 11, 60, 61, 3, 12, 13, 3]
    rng = Scripted(("s", [1, 3, 0, 2]), ("r", 0.0))
    assert mask_tokens(tokens, VOCABULARY, whole_words(), 128, rng)[1:] == ([7], [13], ["mask"])
    # With four masks it fits: each piece has a draw of its own. Then one mask is left, for the next word.
    rng = Scripted(
        ("s", [1, 3, 0, 2]), ("r", 0.0), ("r", 0.9), ("r", 0.1), ("r", 0.9), ("r", 0.9), ("i", 0, 99, 42), ("r", 0.0)
    )
    actual = mask_tokens(tokens, VOCABULARY, whole_words(mask_probability=0.4), 128, rng)
    assert actual == (
        [2, 10, 4, 60, 42, 3, 12, 4, 3],
        [2, 3, 4, 7],
        [11, 60, 61, 13],
        ["mask", "original", "random", "mask"],
    )


def test_a_word_may_span_the_separator_as_published() -> None:
    tokens = [2, 10, 3, 60, 12, 3]
    rng = Scripted(("s", None), ("r", 0.0), ("r", 0.0))
    assert mask_tokens(tokens, VOCABULARY, whole_words(mask_probability=0.4), 128, rng)[1] == [1, 3]


@pytest.mark.parametrize(("length", "expected"), [(128, 20), (512, 77)])
def test_predictions_are_limited_as_in_the_published_commands(length: int, expected: int) -> None:
    assert OPTIONS.most_predictions(length) == expected


def test_shares_other_than_the_published_ones() -> None:
    options = ExampleOptions(recipe="reference", mask_token_share=0.5, random_token_share=0.1, mask_probability=0.9)
    rng = random.Random(1)
    shown = [how for _ in range(400) for how in mask_tokens([2, *range(10, 40), 3], VOCABULARY, options, 32, rng)[3]]
    for how, share in (("mask", 0.5), ("original", 0.4), ("random", 0.1)):
        assert abs(shown.count(how) / len(shown) - share) < 4 * np.sqrt(share * (1 - share) / len(shown))


def random_documents(count: int, sentences: Callable[[random.Random], int]) -> list[list[list[int]]]:
    rng = random.Random(5)
    return [
        [[rng.randrange(5, 50) for _ in range(rng.randint(1, 25))] for _ in range(sentences(rng))] for _ in range(count)
    ]


def test_more_than_half_of_the_pairs_are_random_as_published() -> None:
    documents = random_documents(200, lambda rng: rng.randint(1, 12))
    instances = create_instances(documents, VOCABULARY, 64, 3, OPTIONS, random.Random(1))
    share = sum(instance.is_random_next for instance in instances) / len(instances)
    assert 0.53 < share < 0.75


def test_a_bucket_gives_the_same_examples_whatever_happened_before() -> None:
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *(f"w{i}" for i in range(95))])}
    tokenizer = build(vocabulary, lowercase=True)
    documents = random_documents(20, lambda rng: rng.randint(1, 12))
    corpus = corpus_of(documents, np.arange(20), CONTINUATION)
    members = np.arange(3, 20)
    first = build_reference_examples(corpus, members, 64, 2, OPTIONS, tokenizer)
    again = build_reference_examples(corpus, members, 64, 2, OPTIONS, tokenizer)
    for name, column in vars(first.examples).items():
        assert np.array_equal(column, getattr(again.examples, name)), name
    assert first.statistics == again.statistics
    assert first.examples.document_a.min() >= 3
    statistics = first.statistics
    assert statistics.rows == first.examples.rows
    assert (
        statistics.masked_as_mask + statistics.masked_as_random + statistics.masked_as_original
        == statistics.masked_tokens
    )
    assert sum(statistics.masked_pieces_by_length.values()) == statistics.masked_tokens
    none = build_reference_examples(corpus, np.arange(0), 64, 2, OPTIONS, tokenizer)
    assert none.examples.rows == 0
