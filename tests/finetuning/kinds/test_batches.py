"""Batches: packed as a plain loop would, the same on any number of ranks, nothing lost."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from finetuning.kinds import words
from finetuning.kinds.batches import collate, micro_batches, prediction_batches, training_batches
from finetuning.kinds.encoding.layout import EncodedSplit, WordMap
from finetuning.kinds.encoding.ragged import starts_of
from finetuning.kinds.encoding.truncation import cut_of
from pretraining.model.packing import PackedBatch


def random_split(items: int = 37, group: int = 1, has_words: bool = False) -> EncodedSplit:
    draw = np.random.default_rng(2)
    lengths = draw.integers(3, 30, items * group)
    offsets = starts_of(lengths)
    ids = draw.integers(5, 90, offsets[-1]).astype(np.int32)
    starts = np.minimum(draw.integers(2, 20, items * group), lengths).astype(np.int32)
    labels = draw.integers(0, 3, items)
    word_map = None
    if has_words:
        counts = np.minimum(draw.integers(0, 5, items), lengths - 2)
        positions = np.concatenate(
            [np.sort(draw.permutation(n - 2)[:c]) + 1 for n, c in zip(lengths, counts, strict=True)]
        )
        word_map = WordMap(
            starts_of(counts),
            positions.astype(np.int32),
            positions.astype(np.int32),
            np.repeat(np.arange(len(counts)), counts),
        )
        labels = draw.integers(0, 3, counts.sum())
        labels[::4] = -100
    return EncodedSplit(
        ids,
        offsets,
        starts,
        np.arange(items),
        labels,
        cut_of(np.zeros(items, np.int64), 0, 0, 128),
        group=group,
        words=word_map,
    )


@pytest.mark.parametrize("group", [1, 4])
def test_collate_equals_packing_one_by_one(group: int) -> None:
    split = random_split(group=group)
    items = np.array([5, 0, 36, 11])
    batch = collate(split, items)
    chosen = [int(item) * group + candidate for item in items for candidate in range(group)]
    expected = PackedBatch.from_sequences(
        [split.input_ids_t[split.offsets_s[s] : split.offsets_s[s + 1]].tolist() for s in chosen],
        [int(split.segment_b_start_s[s]) for s in chosen],
    )
    for name in ("input_ids_t", "segment_ids_t", "position_ids_t", "cu_seqlens"):
        ours, theirs = getattr(batch.packed, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs), name
    assert batch.packed.max_length == expected.max_length
    assert batch.labels.tolist() == split.labels[items].tolist()


def test_collate_places_words() -> None:
    split = random_split(has_words=True)
    assert split.words is not None
    items = np.array([9, 3, 20, 1])
    batch = collate(split, items)
    places, labels, low = [], [], 0
    for item in items:
        places_of_item = range(split.words.offsets_s[item], split.words.offsets_s[item + 1])
        places += [low + int(split.words.position_w[w]) for w in places_of_item]
        labels += [int(split.labels[w]) for w in places_of_item]
        low += int(split.lengths_i[item])
    assert batch.word_indices_w is not None
    assert batch.word_indices_w.tolist() == places
    assert batch.labels.tolist() == labels
    assert words.KIND.label_count(split, items) == sum(label != -100 for label in labels)


@pytest.mark.parametrize("grouped", [False, True])
def test_an_epoch_visits_every_item_once(grouped: bool) -> None:
    split = random_split()
    epochs = [
        np.concatenate(list(training_batches(split, 8, seed, epoch, group_by_length=grouped)))
        for seed, epoch in [(1, 0), (1, 0), (1, 1), (2, 0)]
    ]
    assert all(sorted(order) == list(range(37)) for order in epochs)
    assert np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[3])


def test_the_last_batch_of_an_epoch_has_the_rows_that_are_left() -> None:
    assert [len(items) for items in training_batches(random_split(37), 8, 1, 0)] == [8, 8, 8, 8, 5]
    assert [len(items) for items in training_batches(random_split(32), 8, 1, 0)] == [8, 8, 8, 8]


def test_grouping_saves_padding() -> None:
    split = random_split(4000)

    def padded(grouped: bool) -> int:
        batches = training_batches(split, 32, 1, 0, group_by_length=grouped)
        return sum(int(split.lengths_i[items].max()) * len(items) for items in batches)

    assert padded(True) < 0.7 * padded(False)


def test_grouped_batches_of_a_small_split_differ_between_epochs() -> None:
    split = random_split(160)

    def pairs(epoch: int) -> set[tuple[int, int]]:
        batches = training_batches(split, 8, 1, epoch, group_by_length=True)
        return {pair for items in batches for pair in itertools.combinations(sorted(items.tolist()), 2)}

    assert len(pairs(0) & pairs(1)) < 0.3 * len(pairs(0))


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("most", [1, 60, 10_000])
def test_micro_batches_deal_everything_once(ranks: int, most: int) -> None:
    split = random_split()
    items = np.arange(3, 23)
    steps = micro_batches(split, items, most, ranks)
    assert all(len(shares) == ranks for shares in steps)
    dealt = [int(item) for shares in steps for share in shares for item in share]
    assert sorted(dealt) == items.tolist()
    for shares in steps:
        for share in shares:
            assert len(share) <= 1 or split.lengths_i[share].sum() <= most
    if most == 10_000:
        loads = [sum(int(split.lengths_i[shares[rank]].sum()) for shares in steps) for rank in range(ranks)]
        assert max(loads) - min(loads) <= split.lengths_i.max()


def test_prediction_batches_cover_all() -> None:
    split = random_split()
    batches = list(prediction_batches(split, 64))
    assert sorted(np.concatenate(batches)) == list(range(37))
    assert all(split.lengths_i[batch].sum() <= 64 for batch in batches)


@pytest.mark.parametrize(("items", "run"), [(137, 34), (900, 100), (7, 2)])
def test_an_epochs_order_is_that_of_its_key(items: int, run: int) -> None:
    """Without grouping a permutation cut up; with it, runs sorted by length, and the batches shuffled.

    A run is 50 batches, or whole batches of at most a quarter of the split.
    """
    split = random_split(items)
    random = np.random.Generator(np.random.Philox(key=[3, 2]))
    order = random.permutation(items)
    plain = list(training_batches(split, 2, 3, 2))
    assert [batch.tolist() for batch in plain] == [order[low : low + 2].tolist() for low in range(0, items, 2)]
    runs = [order[low : low + run].tolist() for low in range(0, items, run)]
    together = [item for one in runs for item in sorted(one, key=lambda item: split.lengths_i[item])]
    batches = [together[low : low + 2] for low in range(0, items, 2)]
    grouped = list(training_batches(split, 2, 3, 2, group_by_length=True))
    assert [batch.tolist() for batch in grouped] == [batches[place] for place in random.permutation(len(batches))]


def of_lengths(*lengths: int, group: int = 1) -> EncodedSplit:
    split = random_split(len(lengths) // group, group)
    return replace(
        split, offsets_s=starts_of(np.array(lengths)), input_ids_t=np.arange(sum(lengths), dtype=np.int32) + 5
    )


def test_micro_batches_by_hand() -> None:
    split = of_lengths(3, 9, 4, 7, 5, 4, 8)
    items = np.arange(7)
    # By length: 9 8 7 5 4 4 3, of which items 2 and 5 have 4.
    dealt = micro_batches(split, items, 16, 2)
    assert [[share.tolist() for share in shares] for shares in dealt] == [[[1, 3], [6, 4]], [[2, 0], [5]]]
    assert [[share.tolist() for share in shares] for shares in micro_batches(split, items, 17)] == [
        [[1, 6]],
        [[3, 4, 2]],
        [[5, 0]],
    ]
    assert [len(shares) for shares in micro_batches(split, items[:1], 1, 3)] == [3]
    assert [[share.tolist() for share in shares] for shares in micro_batches(split, items[:1], 1, 3)] == [[[0], [], []]]


def test_prediction_batches_by_hand() -> None:
    split = of_lengths(3, 9, 4, 7, 5, 4, 8)
    assert [batch.tolist() for batch in prediction_batches(split, 16)] == [[1], [6, 3], [4, 2, 5, 0]]
    assert [batch.tolist() for batch in prediction_batches(split, 1)] == [[1], [6], [3], [4], [2], [5], [0]]
    assert list(prediction_batches(of_lengths(), 8)) == []


def test_items_of_several_sequences_count_with_all_of_them() -> None:
    split = of_lengths(3, 9, 4, 7, 5, 4, group=2)
    assert split.lengths_i.tolist() == [12, 11, 9]
    assert [batch.tolist() for batch in prediction_batches(split, 20)] == [[0], [1, 2]]
    batch = collate(split, np.array([2, 0]))
    assert batch.packed.cu_seqlens.tolist() == [0, 5, 9, 12, 21]
    assert (batch.packed.max_length, batch.items.tolist()) == (9, [2, 0])
    assert batch.packed.input_ids_t.tolist() == [*range(28, 37), *range(5, 17)]


def test_a_batch_moves_as_a_whole(device: torch.device) -> None:
    for has_words in (False, True):
        batch = collate(random_split(has_words=has_words), np.array([4, 2]))
        moved = batch.to(device)
        assert moved.packed.input_ids_t.device.type == moved.labels.device.type == device.type
        assert moved.packed.input_ids_t.tolist() == batch.packed.input_ids_t.tolist()
        assert moved.labels.tolist() == batch.labels.tolist()
        assert moved.items is batch.items
        assert batch.items.tolist() == [4, 2]
        assert (moved.word_indices_w is None) == (batch.word_indices_w is None) == (not has_words)
        if has_words:
            assert moved.word_indices_w is not None
            assert batch.word_indices_w is not None
            assert (moved.word_indices_w.device.type, moved.word_indices_w.dtype) == (device.type, torch.int64)
            assert moved.word_indices_w.tolist() == batch.word_indices_w.tolist()
