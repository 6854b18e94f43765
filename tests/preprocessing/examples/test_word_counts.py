"""Words of all examples, counted once, beside a count example by example; and the words that masks are counted by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.examples.pairs import Plan
from preprocessing.examples.static_masking import MaskRule, mask_examples
from preprocessing.examples.word_counts import LONGEST_WORD, count_words
from preprocessing.tokens.corpus import offsets_of


def plan_of(segments: list[tuple[int, int, int, int]]) -> Plan:
    """Examples of segments A and B as ranges of corpus positions."""
    edges = np.array(segments, np.int64).reshape(-1, 4)
    rows = len(edges)
    return Plan(
        *(edges[:, column].copy() for column in range(4)),
        document_a=np.zeros(rows, np.uint32),
        document_b=np.zeros(rows, np.uint32),
        place=np.arange(rows, dtype=np.uint32),
        is_random_next=np.zeros(rows, bool),
        truncated_tokens=0,
    )


def words_of(starts: list[bool], first: int, last: int) -> list[list[int]]:
    """The positions of each word of a segment."""
    words: list[list[int]] = []
    for token in range(first, last):
        if token == first or starts[token]:
            words.append([])
        words[-1].append(token)
    return words


@st.composite
def corpora(draw: st.DrawFn) -> tuple[list[bool], list[tuple[int, int, int, int]]]:
    """Word starts, the first of them true, and segments that cut words anywhere; B may be empty."""
    starts = [True, *draw(st.lists(st.sampled_from([True, False, False]), min_size=1, max_size=120))]
    bound = st.integers(0, len(starts))
    ranges = st.tuples(bound, bound).map(sorted).map(tuple)
    filled = ranges.filter(lambda pair: pair[0] < pair[1])
    return starts, [(*a, *b) for a, b in draw(st.lists(st.tuples(filled, ranges), max_size=12))]


@settings(max_examples=200, deadline=None)
@given(corpora())
def test_words_are_those_of_every_example(case: tuple[list[bool], list[tuple[int, int, int, int]]]) -> None:
    starts, segments = case
    expected = np.zeros(LONGEST_WORD + 1, np.int64)
    for a_start, a_end, b_start, b_end in segments:
        for word in words_of(starts, a_start, a_end) + words_of(starts, b_start, b_end):
            expected[min(len(word), LONGEST_WORD)] += 1
    assert count_words(plan_of(segments), np.array(starts)).tolist() == expected.tolist()


@pytest.mark.parametrize("whole_words", [False, True])
@settings(max_examples=100, deadline=None)
@given(corpora())
def test_masks_are_counted_by_the_words_they_stand_in(
    whole_words: bool, case: tuple[list[bool], list[tuple[int, int, int, int]]]
) -> None:
    starts, segments = case
    plan = plan_of(segments)
    lengths = (plan.a_end - plan.a_start) + (plan.b_end - plan.b_start) + 3
    offsets = offsets_of(lengths)
    ids = np.full(int(offsets[-1]), 9, np.uint16)
    rule = MaskRule(probability=0.4, mask_share=0.8, random_share=0.1, most=1 << 30, whole_words=whole_words)
    keys = np.arange(len(segments), dtype=np.uint64)
    masks = mask_examples(
        ids, offsets, plan, np.array(starts), np.array([5], np.uint64), keys, rule, 4, np.arange(5, 99)
    )
    expected = np.zeros((LONGEST_WORD + 1, 3), np.int64)
    for row, (a_start, a_end, b_start, b_end) in enumerate(segments):
        positions = masks.positions[masks.offsets[row] : masks.offsets[row + 1]].tolist()
        after_a = 1 + a_end - a_start
        assert all(0 < position < lengths[row] - 1 and position != after_a for position in positions)
        hidden = {p - 1 + a_start if p < after_a else p - after_a - 1 + b_start + len(starts) for p in positions}
        second = [[token + len(starts) for token in word] for word in words_of(starts, b_start, b_end)]
        for word in words_of(starts, a_start, a_end) + second:
            found = len(hidden & set(word))
            expected[min(len(word), LONGEST_WORD)] += (1, found > 0, found)
    assert masks.words.tolist() == expected.tolist()
    assert len(masks.positions) == len(masks.labels) == masks.offsets[-1]
