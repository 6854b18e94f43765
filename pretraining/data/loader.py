"""Prepares global batches ahead of the training loop, in a thread."""

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from pretraining.data.batching import cut
from pretraining.data.dealing import deal
from pretraining.data.dynamic_masking import MaskingVocabulary
from pretraining.data.examples import Examples
from pretraining.data.fingerprint import fingerprint
from pretraining.data.sampler import PassedOver, Position, Sampler
from pretraining.data.shape_ladder import ShapeLadder
from pretraining.model.dropout_keys import example_keys
from pretraining.model.packing import PackedBatch, PackedShape


@dataclass(frozen=True)
class GlobalBatch:
    """This rank's share of one optimiser step, and the counts of the whole step, equal on every rank.

    The counts come from the shards' offsets, which every rank can read: no communication.
    """

    position: Position  # of its first draw
    micro_batches: tuple[PackedBatch, ...]
    fingerprint: int  # of this rank's share; the sum over ranks, modulo 2⁶⁴, is that of the whole batch
    masked_tokens: int
    sequences: int
    tokens: int
    squared_tokens: int  # sum over sequences of length², for the attention's FLOPs
    next_position: Position
    filler_tokens: int = 0  # of all ranks, beside `tokens`: computed, and counted nowhere


@dataclass(frozen=True)
class Loader:
    """Cuts the sampler's stream into global batches and packs the share of one rank.

    Which examples make up a global batch does not depend on ``ranks``; which rank computes which does not matter to the
    gradient, because the loss is divided by counts of the whole batch.
    """

    examples: Examples
    sampler: Sampler
    batch_size: int
    micro_batches: int  # per rank
    rank: int
    ranks: int
    hidden_size: int
    vocabulary: MaskingVocabulary | None = None  # masks anew when given
    passed_over: tuple[PassedOver, ...] = ()  # draws that are left out
    device: torch.device | None = None  # a GPU that the batches are for: they are pinned for it
    dropout_seed: int | None = None  # gives every draw of an example a key for its dropout; a GPU has no use for them
    ladder: ShapeLadder | None = None  # fills micro-batches up to few shapes; None: as many tokens as there are

    def batch_at(self, position: Position) -> GlobalBatch:
        """The global batch that starts at ``position``."""
        examples, passes = self.sampler.draw(position, self.batch_size)
        lengths, masked = self.examples.measure(examples)
        dealt = self._dealt(lengths)
        shapes = self._shapes(lengths, masked, dealt)
        shares = [share[self.rank] for share in dealt]
        micro_batches = [self._pack(position, examples, passes, share) for share in shares]
        tokens = int(lengths.sum())
        return GlobalBatch(
            position=position,
            micro_batches=tuple(map(self._placed, micro_batches, shapes)),
            fingerprint=sum(map(_fingerprint, micro_batches, shares)),
            masked_tokens=int(masked.sum()),
            sequences=self.batch_size,
            tokens=tokens,
            squared_tokens=int((lengths * lengths).sum()),
            next_position=self.sampler.advance(position, self.batch_size),
            filler_tokens=self.ranks * sum(shape.tokens for shape in shapes if shape) - tokens if self.ladder else 0,
        )

    def _dealt(self, lengths: np.ndarray) -> list[np.ndarray]:
        """int64 [ranks, examples] for each micro-batch, indices into ``lengths``: what each rank computes.

        For fixed shapes micro-batches are the same number of examples, and the fullest come first: ranks compute such
        as are alike at the same time.
        """
        if self.ladder is None:
            return cut(lengths, self.ranks, self.micro_batches, self.hidden_size)
        parts = deal(lengths, self.ranks * self.micro_batches)
        fullest_first = np.argsort(-lengths[parts].sum(axis=1), kind="stable")
        return list(parts[fullest_first].reshape(self.micro_batches, self.ranks, -1))

    def _shapes(self, lengths: np.ndarray, masked: np.ndarray, dealt: list[np.ndarray]) -> list[PackedShape | None]:
        """What each micro-batch is filled up to, the same on all ranks."""
        if self.ladder is None:
            return [None] * len(dealt)
        return [self.ladder.shape(lengths[share].sum(axis=1), masked[share].sum(axis=1)) for share in dealt]

    def _pack(self, position: Position, examples: np.ndarray, passes: np.ndarray, chosen: np.ndarray) -> PackedBatch:
        packed = self.examples.pack(
            examples[chosen], passes=passes[chosen], seed=self.sampler.seed, vocabulary=self.vocabulary
        )
        return packed if self.device else replace(packed, dropout_keys_s=self._dropout_keys(position, chosen))

    def _placed(self, packed: PackedBatch, shape: PackedShape | None) -> PackedBatch:
        """The batch filled up, where the device takes it from."""
        packed = packed if shape is None else packed.filled(shape)
        if self.device is None:
            return packed
        with torch.cuda.device(self.device):  # a thread begins on GPU 0, which is another rank's
            return packed.pinned()

    def _dropout_keys(self, position: Position, chosen: np.ndarray) -> torch.Tensor | None:
        """int64 [s] of the batch's ``chosen`` examples, each by which draw of the order it is."""
        if self.dropout_seed is None:
            return None
        return example_keys(self.dropout_seed, self.sampler.numbers(position, self.batch_size)[chosen])

    def batches(self, position: Position, steps: int) -> Iterator[GlobalBatch]:
        """``steps`` consecutive global batches, without a thread."""
        for _ in range(steps):
            batch = self.batch_at(self.sampler.past(position, self.batch_size, self.passed_over))
            position = batch.next_position
            yield batch


def _fingerprint(packed: PackedBatch, slots: np.ndarray) -> int:
    """The micro-batch's part of its global batch's fingerprint; `slots`: where its examples stand there."""
    tensors = (packed.masked_indices_m, packed.masked_labels_m, packed.is_random_next_s)
    masked_indices, masked_labels, is_random_next = (
        np.empty(0, np.int64) if tensor is None else tensor.numpy() for tensor in tensors
    )
    edges = packed.cu_seqlens.numpy()
    return int(fingerprint(packed.input_ids_t.numpy(), edges, masked_indices, masked_labels, is_random_next, slots))


def prefetch(loader: Loader, position: Position, steps: int, ahead: int) -> Generator[GlobalBatch]:
    """``loader.batches`` from a thread that stays at most ``ahead`` batches in front; its errors are raised here."""
    ready: queue.Queue[GlobalBatch | BaseException] = queue.Queue(maxsize=max(1, ahead))
    stopped = threading.Event()

    def put(item: GlobalBatch | BaseException) -> None:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in loader.batches(position, steps):
                put(batch)
                if stopped.is_set():
                    return
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=work, name="loader", daemon=True)
    thread.start()
    try:
        for _ in range(steps):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5)
