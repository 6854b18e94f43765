"""Masks on examples whose words are known; chi-square tests with fixed seeds."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from preprocessing.examples.pairs import Plan
from preprocessing.examples.philox import stream_key
from preprocessing.examples.static_masking import MaskRule, Masks, mask_examples

CLS, SEP, MASK = 2, 3, 4
ORDINARY = np.arange(5, 1000)


def examples(words: list[int], rows: int) -> tuple[np.ndarray, np.ndarray, Plan, np.ndarray]:
    """`rows` examples; each of their two segments is words of the given numbers of pieces."""
    starts = np.concatenate([np.arange(size) == 0 for size in words])
    size = len(starts)
    corpus_starts = np.tile(starts, 2)
    length = 2 * size + 3
    ids = np.random.default_rng(0).integers(5, 1000, (rows, length)).astype(np.uint16)
    ids[:, 0], ids[:, size + 1], ids[:, -1] = CLS, SEP, SEP
    ones = np.ones(rows, np.int64)
    plan = Plan(
        a_start=0 * ones,
        a_end=size * ones,
        b_start=size * ones,
        b_end=2 * size * ones,
        document_a=np.zeros(rows, np.uint32),
        document_b=np.zeros(rows, np.uint32),
        place=np.arange(rows, dtype=np.uint32),
        is_random_next=np.zeros(rows, bool),
        truncated_tokens=0,
    )
    return ids.reshape(-1), np.arange(rows + 1, dtype=np.int64) * length, plan, corpus_starts


def mask(words: list[int], rows: int, seed: int = 1, **settings: object) -> tuple[np.ndarray, np.ndarray, Masks]:
    """The original rows, the masked rows, and the masks."""
    defaults = {"probability": 0.15, "mask_share": 0.8, "random_share": 0.1, "most": 1 << 30, "whole_words": False}
    rule = MaskRule(**{**defaults, **settings})  # type: ignore[arg-type]
    ids, offsets, plan, starts = examples(words, rows)
    before = ids.copy()
    keys = np.full(rows, stream_key(seed, "masks"), np.uint64)
    masks = mask_examples(ids, offsets, plan, starts, np.array([77], np.uint64), keys, rule, MASK, ORDINARY)
    return before.reshape(rows, -1), ids.reshape(rows, -1), masks


def position_counts(masks: Masks, length: int) -> np.ndarray:
    return np.bincount(masks.positions, minlength=length)


@pytest.mark.parametrize("whole_words", [False, True])
def test_labels_are_what_stood_there_and_nothing_else_changed(whole_words: bool) -> None:
    before, after, masks = mask([1, 2, 3, 1, 5], 500, whole_words=whole_words)
    rows = np.repeat(np.arange(500), np.diff(masks.offsets))
    assert np.array_equal(before[rows, masks.positions], masks.labels)
    untouched = np.ones(before.shape, bool)
    untouched[rows, masks.positions] = False
    assert np.array_equal(before[untouched], after[untouched])
    assert not np.isin(masks.labels, [CLS, SEP]).any()
    same_row = rows[1:] == rows[:-1]
    assert (np.diff(masks.positions.astype(int))[same_row] > 0).all(), "ascending, each once"


@pytest.mark.parametrize(("pieces", "expected"), [(2, 1), (10, 3), (58, 18), (254, 77)])
def test_the_number_of_masks_is_the_published_one(pieces: int, expected: int) -> None:
    # max(1, round(0.15 × tokens)), special tokens included; two segments of `pieces` pieces each
    *_, masks = mask([1] * pieces, 50)
    assert (np.diff(masks.offsets) == expected).all()
    assert expected == max(1, round(0.15 * (2 * pieces + 3)))


def test_the_most_predictions_are_kept_to() -> None:
    for whole_words in (False, True):
        *_, masks = mask([1, 3, 2] * 20, 200, most=7, whole_words=whole_words)
        assert np.diff(masks.offsets).max() == 7
        assert np.diff(masks.offsets).min() >= 1


def test_a_word_longer_than_the_most_predictions_still_gives_a_mask() -> None:
    *_, masks = mask([50], 20, most=7, whole_words=True)
    assert (np.diff(masks.offsets) == 7).all()


def test_every_position_is_as_likely() -> None:
    *_, masks = mask([1, 2, 1, 4, 2], 30000)
    counts = position_counts(masks, 23)
    assert counts[[0, 11, 22]].tolist() == [0, 0, 0]
    assert scipy.stats.chisquare(np.delete(counts, [0, 11, 22])).pvalue > 1e-3


def test_with_whole_words_every_word_is_as_likely_whatever_its_length() -> None:
    sizes = [1, 2, 1, 4, 2, 1, 1, 3, 6, 1]
    *_, masks = mask(sizes, 30000, whole_words=True)
    counts = position_counts(masks, 2 * sum(sizes) + 3)
    first = 1 + np.cumsum([0, *sizes[:-1]])
    per_word = np.concatenate([counts[first], counts[first + sum(sizes) + 1]])
    assert scipy.stats.chisquare(per_word).pvalue > 1e-3


def test_with_whole_words_a_word_is_masked_as_a_whole_and_never_across_segments() -> None:
    sizes = [2, 3, 1, 4]
    *_, masks = mask(sizes, 2000, whole_words=True)
    size = sum(sizes)
    words = np.repeat(np.arange(4), sizes)
    row_words = np.concatenate([[-1], words, [-1], 10 + words, [-1]])
    for row in range(2000):
        positions = masks.positions[masks.offsets[row] : masks.offsets[row + 1]]
        touched = set(row_words[positions].tolist())
        assert len(positions) == int(np.isin(row_words, list(touched)).sum())
    assert size == 10


@pytest.mark.parametrize("whole_words", [False, True])
def test_what_is_shown_is_80_10_10(whole_words: bool) -> None:
    before, after, masks = mask([1, 2, 3, 1, 5] * 4, 6000, whole_words=whole_words)
    rows = np.repeat(np.arange(6000), np.diff(masks.offsets))
    shown, label = after[rows, masks.positions], before[rows, masks.positions]
    as_mask, unchanged = (shown == MASK).sum(), (shown == label).sum()
    assert masks.shown.sum() == len(masks.positions)
    assert masks.shown[0] == as_mask
    if whole_words:  # the pieces of a word share their draw, so the words are what is counted
        starts = np.concatenate([[True], (np.diff(masks.positions.astype(int)) != 1) | (np.diff(rows) != 0)])
        assert abs(as_mask / len(shown) - 0.8) < 0.01
        assert starts.sum() > 1000
    else:
        assert scipy.stats.chisquare(masks.shown, np.array([0.8, 0.1, 0.1]) * len(shown)).pvalue > 1e-3
    assert unchanged >= masks.shown[2]
    assert unchanged - masks.shown[2] < 0.01 * masks.shown[1], "a random piece is the same one once in a thousand"


def test_with_whole_words_the_draw_is_per_word() -> None:
    before, after, masks = mask([6], 4000, whole_words=True, mask_share=0.5, random_share=0.0)
    rows = np.repeat(np.arange(4000), np.diff(masks.offsets))
    assert np.array_equal(before[rows, masks.positions], masks.labels)
    shown = (after == MASK).sum(axis=1)
    assert set(shown.tolist()) <= {0, 6}
    assert scipy.stats.binomtest(int((shown == 6).sum()), 4000, 0.5).pvalue > 1e-3


def test_random_replacements_are_ordinary_pieces_each_as_likely() -> None:
    _, after, masks = mask([1] * 60, 4000, mask_share=0.0, random_share=1.0)
    rows = np.repeat(np.arange(4000), np.diff(masks.offsets))
    counts = np.bincount(after[rows, masks.positions], minlength=1000)
    assert counts[:5].sum() == 0
    assert scipy.stats.chisquare(counts[5:]).pvalue > 1e-3


def test_words_are_counted_by_length() -> None:
    *_, masks = mask([1, 2, 40], 300)
    assert np.flatnonzero(masks.words[:, 0]).tolist() == [1, 2, 32]
    assert masks.words[:, 0].tolist()[1:3] == [600, 600]
    assert masks.words[:, 2].sum() == len(masks.positions)
    assert (masks.words[:, 1] <= masks.words[:, 2]).all()


@pytest.mark.parametrize("whole_words", [False, True])
@pytest.mark.parametrize("torn", [False, True], ids=["words whole", "segments begin inside a word"])
def test_masked_words_are_counted_one_by_one(torn: bool, whole_words: bool) -> None:
    sizes = [2, 1, 3, 4, 1, 35]
    ids, offsets, plan, starts = examples(sizes, 40)
    if torn:  # the text before goes on in the first words of both segments
        starts[[0, sum(sizes)]] = False
    rule = MaskRule(0.3, 0.8, 0.1, 1 << 30, whole_words)
    keys = np.full(40, stream_key(3, "masks"), np.uint64)
    masks = mask_examples(ids, offsets, plan, starts, np.array([77], np.uint64), keys, rule, MASK, ORDINARY)
    expected = np.zeros((33, 3), np.int64)
    for row in range(40):
        masked = set(masks.positions[masks.offsets[row] : masks.offsets[row + 1]].tolist())
        for first in (1, sum(sizes) + 2):
            for size in sizes:
                hidden = len(masked & set(range(first, first + size)))
                expected[min(size, 32)] += (1, hidden > 0, hidden)
                first += size
    assert masks.words.tolist() == expected.tolist()


@pytest.mark.parametrize("whole_words", [False, True])
def test_an_example_of_one_segment_ends_before_its_separator(whole_words: bool) -> None:
    """Every piece is masked, and neither [CLS] nor [SEP]."""
    ids, offsets, plan, starts = examples([2, 1], 5)
    plan = replace(plan, b_start=plan.a_end, b_end=plan.a_end)
    ids = ids.reshape(5, -1)[:, :5].reshape(-1).copy()  # [CLS] three pieces [SEP]
    rule = MaskRule(0.9, 1.0, 0.0, 1 << 30, whole_words)
    keys = np.full(5, stream_key(3, "masks"), np.uint64)
    offsets = np.arange(6, dtype=np.int64) * 5
    masks = mask_examples(ids, offsets, plan, starts, np.array([77], np.uint64), keys, rule, MASK, ORDINARY)
    assert ids.reshape(5, -1).tolist() == [[CLS, MASK, MASK, MASK, SEP]] * 5
    assert masks.positions.tolist() == [1, 2, 3] * 5
    assert masks.offsets.tolist() == [0, 3, 6, 9, 12, 15]


def test_the_arrays_of_masks() -> None:
    *_, masks = mask([1, 2], 10)
    assert (masks.words.shape, masks.words.dtype) == ((33, 3), np.int64)
    assert (masks.shown.shape, masks.shown.dtype) == ((3,), np.int64)
    assert (masks.offsets.dtype, masks.positions.dtype, masks.labels.dtype) == (np.int64, np.uint16, np.uint16)
    assert len(masks.positions) == len(masks.labels) == masks.offsets[-1]


def test_masks_depend_on_the_key_and_on_nothing_else() -> None:
    first, again, other = (mask([1, 2, 3], 100, seed=seed)[2].positions for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
