"""The few shapes that the micro-batches of a run are filled up to, so that compiled code and CUDA graphs serve again.

How many tokens a micro-batch holds varies from step to step: with the few examples of a small batch by several per
cent, more than one size could take in without much filler. So there are up to six sizes, a ladder, and a micro-batch
takes the next one up. Which sizes these are is found by rehearsal: global batches of lengths drawn from the manifest's
histogram are dealt as the loader will deal them. Nothing is read from the shards, and every rank finds the same.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from pretraining.data.dealing import deal
from pretraining.data.examples import Examples
from pretraining.data.sampler import Sampler
from pretraining.devices.abilities import AMPERE
from pretraining.model.attention_cuda import fits_flash
from pretraining.model.packing import PackedShape

MOST_LEVELS = 6
ENOUGH = 0.004  # mean share of filler at which no further level is added
_GRANULE = 16  # sizes are multiples of it: what tensor cores and vector loads want
_REHEARSED_EXAMPLES, _MOST_REHEARSALS, _FEWEST_REHEARSALS = 1 << 22, 2000, 20
_CANDIDATES = 256


@dataclass(frozen=True)
class ShapeLadder:
    """``levels``: tokens of a micro-batch, ascending."""

    levels: tuple[int, ...]
    sequences: int  # of a micro-batch, without those that are filler
    filler_sequences: int
    masked_share: float  # masked tokens per token
    max_length: int

    @classmethod
    def of(cls, examples: Examples, sampler: Sampler, batch_size: int, ranks: int, micro_batches: int) -> Self:
        """For global batches of what ``sampler`` draws, in ``micro_batches`` a rank and step."""
        return cls.rehearsed(
            examples.length_shares(sampler.draws),
            examples.sequence_length,
            batch_size,
            ranks,
            micro_batches,
            examples.masked_share(sampler.draws),
        )

    @classmethod
    def rehearsed(
        cls,
        shares: Mapping[int, float],
        longest: int,
        batch_size: int,
        ranks: int,
        micro_batches: int,
        masked_share: float,
    ) -> Self:
        """``shares``: tokens of an example → how many there are of it, relative to the others; ``longest``: tokens of
        the longest that may come.
        """
        lengths = np.array(sorted(shares), np.int64)
        weights = np.array([shares[length] for length in lengths.tolist()], np.float64)
        parts = ranks * micro_batches
        fullest, emptiest = _rehearse(lengths, weights / weights.sum(), batch_size, ranks, parts)
        # As many sequences as the largest gap takes, which are that many tokens at least: first a guess, then again.
        filler_sequences = 1
        for _ in range(2):
            levels = _best_levels(np.sort(fullest.ravel()) + filler_sequences)
            place = np.minimum(np.searchsorted(levels, fullest + filler_sequences), len(levels) - 1)
            filler_sequences = max(1, -(-int((levels[place] - emptiest).max()) // longest))
        size = batch_size // parts
        return cls(tuple(levels.tolist()), size, filler_sequences, masked_share, longest)

    def shape(self, tokens: np.ndarray, masked: np.ndarray) -> PackedShape:
        """What micro-batches of ``tokens`` and ``masked`` tokens (int64 [ranks]) are all filled up to.

        Where they are fuller or emptier than any that was rehearsed, there is a shape for them too.
        """
        fillers = self.filler_sequences
        while True:
            size = self._level(int(tokens.max()) + fillers)
            needed = -(-(size - int(tokens.min())) // self.max_length)
            if needed <= fillers:
                break
            fillers = needed
        return PackedShape(
            tokens=size,
            sequences=self.sequences + fillers,
            masked=_stepwise(self._masked(size), int(masked.max())),
            max_length=self.max_length,
        )

    def _level(self, tokens: int) -> int:
        place = bisect_left(self.levels, tokens)
        return self.levels[place] if place < len(self.levels) else _stepwise(self.levels[-1], tokens)

    def _masked(self, tokens: int) -> int:
        """Room for a thirty-second more masked tokens than their share: the head on them is a small part of a step."""
        return _rounded_up(tokens * self.masked_share * 33 / 32)


def serve(precision: str, head_size: int, capability: tuple[int, int] | None) -> bool:
    """Whether fixed shapes win: where attention is the flash operation over `cu_seqlens`, to which it is nothing that
    lengths are mixed. ``capability`` is the GPU's; None on the CPU, where runs of one length are worth more.
    """
    return capability is not None and capability >= AMPERE and precision != "fp32" and fits_flash(head_size)


def common_shape(tokens: np.ndarray, masked: np.ndarray, sequences: np.ndarray, max_length: int) -> PackedShape:
    """The smallest shape for all of some micro-batches; each argument int64, an entry a micro-batch."""
    fillers = 1
    while True:
        missing = sequences.max() - sequences + fillers
        size = _rounded_up(int((tokens + missing).max()))
        if ((size - tokens) <= missing * max_length).all():
            break
        fillers += 1
    return PackedShape(size, int(sequences.max()) + fillers, _rounded_up(int(masked.max())), max_length)


def _rehearse(
    lengths: np.ndarray, probabilities: np.ndarray, batch_size: int, ranks: int, parts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of the fullest and of the emptiest rank's share of each micro-batch: int64 [rehearsals, micro-batches]."""
    rehearsals = int(np.clip(_REHEARSED_EXAMPLES // batch_size, _FEWEST_REHEARSALS, _MOST_REHEARSALS))
    generator = np.random.Generator(np.random.Philox(key=0))
    edges = np.cumsum(probabilities)
    fullest, emptiest = [], []
    for _ in range(rehearsals):
        place = np.searchsorted(edges, generator.random(batch_size), side="right")
        drawn = lengths[np.minimum(place, len(lengths) - 1)]
        tokens = drawn[deal(drawn, parts)].sum(axis=1).reshape(-1, ranks)
        fullest.append(tokens.max(axis=1))
        emptiest.append(tokens.min(axis=1))
    return np.array(fullest), np.array(emptiest)


def _best_levels(sizes: np.ndarray) -> np.ndarray:
    """The fewest levels, int64 ascending, that waste less than ``ENOUGH`` of the tokens on ``sizes`` (int64, sorted),
    or ``MOST_LEVELS`` of them that waste the least: by dynamic programming over candidates, multiples of the granule.

    The highest lies one standard deviation above the largest of ``sizes``, so that few that were not rehearsed go
    beyond.
    """
    top = _rounded_up(float(sizes[-1]) + float(sizes.std()))
    step = _rounded_up(max(1.0, (top - int(sizes[0])) / _CANDIDATES))
    candidates = np.arange(top, int(sizes[0]) - 1, -step)[::-1]
    below = np.concatenate([[0], np.searchsorted(sizes, candidates, side="right")])
    sums = np.concatenate([[0], np.cumsum(sizes)])[below]
    # cost[i, j]: filler of what lies above candidate i − 1 and not above j, all filled up to j.
    cost = candidates * (below[1:] - below[:-1, None]) - (sums[1:] - sums[:-1, None])
    cost[np.tril_indices(len(candidates), -1)] = np.iinfo(np.int64).max // 4
    least = cost[0]
    chosen: list[np.ndarray] = []
    most = min(MOST_LEVELS, len(candidates))
    while least[-1] > ENOUGH * (sums[-1] + least[-1]) and len(chosen) + 1 < most:
        sum_of_both = least[:-1, None] + cost[1:]
        chosen.append(sum_of_both.argmin(axis=0))
        least = sum_of_both.min(axis=0)
    places = [len(candidates) - 1]
    for before in reversed(chosen):
        places.append(int(before[places[-1]]))
    return np.unique(candidates[places])


def _stepwise(least: int, needed: int) -> int:
    """``least``, or where that is too little, enough in steps of about a sixty-fourth of it."""
    step = _rounded_up(least / 64)
    return least + max(0, -(-(needed - least) // step)) * step


def _rounded_up(number: float) -> int:
    return -(-int(np.ceil(number)) // _GRANULE) * _GRANULE
