"""The order of examples: a stateless permutation, so that a position in it is two integers.

The permutation is a Feistel network over the smallest power of two that holds the population, with cycle-walking back
into range (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). It needs no memory: 160 million
examples cost nothing at start-up and nothing per rank, where a shuffled index array costs 1.3 GB per rank and epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preprocessing.compiled import compiled
from pretraining.errors import PretrainingError
from pretraining.splitmix import mix

_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next global batch starts: plain data that goes into the checkpoint."""

    epoch: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Draws that a run leaves out: `count` of them from `start` on."""

    start: Position
    count: int


def permute(indices: np.ndarray, size: int, key: tuple[int, ...]) -> np.ndarray:
    """Where a keyed permutation of ``range(size)`` sends each of ``indices`` (int64 in, int64 out, same shape)."""
    permuted = np.zeros_like(indices)
    if size > 1:
        round_keys = np.random.SeedSequence(key).generate_state(_ROUNDS, np.uint64)
        _walk(indices, size, (size - 1).bit_length(), round_keys, permuted)
    return permuted


@compiled
def _walk(indices: np.ndarray, size: int, bits: int, round_keys: np.ndarray, permuted: np.ndarray) -> None:
    """The network over numbers of ``bits`` bits (at least 2), again and again until it lands below ``size``."""
    width_high = np.uint64(max(bits, 2) // 2)
    width_low = np.uint64(max(bits, 2)) - width_high
    for place in range(len(indices)):
        value = np.uint64(indices[place])
        while True:
            # The halves trade places every round, and with them their widths, which an odd number of bits makes
            # unequal.
            left_width, right_width = width_high, width_low
            left, right = value >> right_width, value & ((np.uint64(1) << right_width) - np.uint64(1))
            for round_key in round_keys:
                mixed = mix(right + round_key) & ((np.uint64(1) << left_width) - np.uint64(1))
                left, right = right, left ^ mixed
                left_width, right_width = right_width, left_width
            value = (left << right_width) | right
            if value < np.uint64(size):
                break
        permuted[place] = np.int64(value)


@dataclass(frozen=True)
class Sampler:
    """Draws global batches from several populations.

    ``sizes[i]`` examples lie in set i, and one epoch draws ``draws[i]`` of them: a weight of 2 passes over a set
    twice per epoch, a weight of 0.5 over one half of it, the other half in the next epoch. Every pass over a set is a
    fresh permutation without replacement, whatever its weight.
    """

    sizes: tuple[int, ...]
    draws: tuple[int, ...]
    seed: int

    @classmethod
    def weighted(cls, sizes: tuple[int, ...], weights: tuple[float, ...], seed: int) -> "Sampler":
        """A sampler over sets of ``sizes`` examples with ``weights`` passes per epoch each (empty: one pass each)."""
        weights = weights or (1.0,) * len(sizes)
        if len(weights) != len(sizes):
            raise PretrainingError(
                f"data.weights has {len(weights)} numbers for {len(sizes)} shard sets; give one for each"
            )
        draws = tuple(round(size * weight) for size, weight in zip(sizes, weights, strict=True))
        if sum(sizes) == 0:
            raise PretrainingError("the shard sets hold no training example of this sequence length")
        for size, weight, drawn in zip(sizes, weights, draws, strict=True):
            if size and not drawn:
                raise PretrainingError(
                    f"data.weights: {weight} of a set of {size} examples is less than one an epoch; raise it, or leave "
                    "the set out"
                )
        return cls(sizes, draws, seed)

    @property
    def epoch_size(self) -> int:
        return sum(self.draws)

    def draw(self, position: Position, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The next ``count`` draws: example numbers over all sets laid end to end, and the pass over its set each is
        from.

        Both int64[count]. A batch may span the end of an epoch, or several epochs of a small corpus.
        """
        examples, passes = [], []
        while count > 0:
            taken = min(count, self.epoch_size - position.index)
            drawn = np.arange(position.index, position.index + taken)
            order = permute(drawn, self.epoch_size, (self.seed, position.epoch, 0))
            numbers, rounds = self._place(order, position.epoch)
            examples.append(numbers)
            passes.append(rounds)
            count -= taken
            position = self.advance(position, taken)
        return np.concatenate(examples), np.concatenate(passes)

    def advance(self, position: Position, count: int) -> Position:
        """The position after ``count`` more draws."""
        epochs, index = divmod(position.index + count, self.epoch_size)
        return Position(position.epoch + epochs, index)

    def past(self, position: Position, count: int, passed_over: Sequence[PassedOver]) -> Position:
        """Where the next `count` draws may begin so that none of them is one of those that are passed over."""
        begin = self._ordinal(position)
        for one in sorted(passed_over, key=lambda one: self._ordinal(one.start)):
            first = self._ordinal(one.start)
            if first < begin + count and begin < first + one.count:
                begin = first + one.count
        return self.advance(Position(), begin)

    def _ordinal(self, position: Position) -> int:
        """Draws before a position, counted over all epochs."""
        return position.epoch * self.epoch_size + position.index

    def numbers(self, position: Position, count: int) -> np.ndarray:
        """What tells the next ``count`` draws from all others, int64[count]: draws since the first of epoch 0."""
        return position.epoch * self.epoch_size + position.index + np.arange(count)

    def _place(self, order: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Which set each slot of an epoch belongs to, and which example of it the slot holds."""
        numbers, rounds = np.empty_like(order), np.empty_like(order)
        first_slot = first_example = 0
        for number, (size, draws) in enumerate(zip(self.sizes, self.draws, strict=True)):
            mine = np.flatnonzero((order >= first_slot) & (order < first_slot + draws))
            drawn = order[mine] - first_slot + epoch * draws
            rounds[mine] = drawn // max(size, 1)
            for one in np.unique(rounds[mine]):
                among = mine[rounds[mine] == one]
                within = order[among] - first_slot + epoch * draws - one * size
                numbers[among] = first_example + permute(within, size, (self.seed, int(one), 1 + number))
            first_slot += draws
            first_example += size
        return numbers, rounds
