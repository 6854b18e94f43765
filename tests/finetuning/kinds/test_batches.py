"""Batches: packed as a plain loop would, the same on any number of ranks, nothing lost."""

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
        word_map = WordMap(starts_of(counts), positions.astype(np.int32), positions.astype(np.int32))
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


def test_grouping_saves_padding() -> None:
    split = random_split(4000)

    def padded(grouped: bool) -> int:
        batches = training_batches(split, 32, 1, 0, group_by_length=grouped)
        return sum(int(split.lengths_i[items].max()) * len(items) for items in batches)

    assert padded(True) < 0.7 * padded(False)


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
