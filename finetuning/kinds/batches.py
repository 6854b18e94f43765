"""Batches: which items go together, and their sequences end to end in one packed row, with no padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.ragged import ragged, starts_of
from pretraining.devices.transfer import sent
from pretraining.model.dropout_keys import example_keys
from pretraining.model.packing import PackedBatch


@dataclass(frozen=True)
class Batch:
    """Some items of a split, ready for the model."""

    packed: PackedBatch
    items: NDArray[np.int64]
    labels: Tensor
    """[i, …] or [w], int64 or float32, as the kind's loss takes them."""
    word_indices_w: Tensor | None = None
    """int64 index into t: the first pieces of the words, where labels belong to words."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`; to a GPU through pinned memory, so that the host need not wait."""
        words = None if self.word_indices_w is None else sent(self.word_indices_w, device)
        return replace(self, packed=self.packed.sent_to(device), labels=sent(self.labels, device), word_indices_w=words)


def collate(split: EncodedSplit, items: NDArray[np.int64]) -> Batch:
    """Pack the sequences of `items`, in their order."""
    sequences = _sequences(split, items)
    first = split.offsets_s[sequences]
    lengths = split.offsets_s[sequences + 1] - first
    offsets = starts_of(lengths)
    positions = ragged(np.zeros_like(lengths), lengths)
    ids = split.input_ids_t[np.repeat(first, lengths) + positions]
    segments = positions >= np.repeat(split.segment_b_start_s[sequences], lengths)
    packed = PackedBatch(
        input_ids_t=torch.from_numpy(ids.astype(np.int64)),
        segment_ids_t=torch.from_numpy(segments.astype(np.int64)),
        position_ids_t=torch.from_numpy(positions),
        cu_seqlens=torch.from_numpy(offsets.astype(np.int32)),
        max_length=int(lengths.max()),
    )
    if split.words is None:
        return Batch(packed, items, torch.from_numpy(split.labels[items]))
    first_word = split.words.offsets_s[sequences]
    words = split.words.offsets_s[sequences + 1] - first_word
    chosen = ragged(first_word, words)
    places = np.repeat(offsets[:-1], words) + split.words.position_w[chosen]
    return Batch(packed, items, torch.from_numpy(split.labels[chosen]), torch.from_numpy(places))


def keyed(batch: Batch, split: EncodedSplit, seed: int, epoch: int) -> Batch:
    """The same batch with keys for its dropout: what is drawn for a sequence depends on the seed and the epoch, and not
    on the sequences that it lies beside, nor on the rank or the pass that computes it.

    Keys serve on the CPU only (`pretraining.model.dropout_keys`).
    """
    numbers = epoch * (len(split.offsets_s) - 1) + _sequences(split, batch.items)
    return replace(batch, packed=replace(batch.packed, dropout_keys_s=example_keys(seed, numbers)))


def training_batches(
    split: EncodedSplit, batch_size: int, seed: int, epoch: int, *, group_by_length: bool = False
) -> Iterator[NDArray[np.int64]]:
    """The items of each batch of one epoch. Depends on the seed and the epoch alone, not on the number of ranks.

    `group_by_length`: shuffled items are sorted by length within runs of 50 batches, or of a quarter of the split where
    that is less, and the batches shuffled.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    order = random.permutation(split.items)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if group_by_length:
        lengths = split.lengths_i
        # Sorted as a whole, a small split would give nearly the same batches, one length each, in every epoch.
        run = batch_size * max(1, min(50, split.items // (4 * batch_size)))
        order = np.concatenate([chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in _cut(order, run)])
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        batches = [batches[index] for index in random.permutation(len(batches))]
    yield from batches


def _sequences(split: EncodedSplit, items: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sequences of some items, in their order."""
    group = split.group
    return (items[:, None] * group + np.arange(group)).reshape(-1) if group > 1 else items


def _cut(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def micro_batches(
    split: EncodedSplit, items: NDArray[np.int64], most_pieces: int, ranks: int = 1
) -> list[list[NDArray[np.int64]]]:
    """Deal the items of a batch to ranks and forward passes of similar length: `result[step][rank]`, maybe empty.

    Every rank has the same number of steps. Items are sorted by length, so that attention on the CPU pads little,
    and dealt in turns, so that the ranks' loads are nearly equal.
    """
    lengths = split.lengths_i[items]
    order = items[np.argsort(-lengths, kind="stable")]
    shares = [order[rank::ranks] for rank in range(ranks)]
    sorted_lengths = np.sort(lengths)[::-1]
    # Cut rank 0's share, the longest everywhere, and the others at the same places.
    cuts, filled = [0], 0
    for index, length in enumerate(sorted_lengths[::ranks]):
        if filled and filled + length > most_pieces:
            cuts.append(index)
            filled = 0
        filled += int(length)
    cuts.append(len(shares[0]))
    return [[share[low:high] for share in shares] for low, high in pairwise(cuts)]


def prediction_batches(split: EncodedSplit, most_pieces: int) -> Iterator[NDArray[np.int64]]:
    """All items, longest first, in batches of at most `most_pieces` pieces (at least one item)."""
    lengths = split.lengths_i
    batch: list[int] = []
    filled = 0
    for item in np.argsort(-lengths, kind="stable"):
        if batch and filled + lengths[item] > most_pieces:
            yield np.array(batch)
            batch, filled = [], 0
        batch.append(int(item))
        filled += int(lengths[item])
    if batch:
        yield np.array(batch)
