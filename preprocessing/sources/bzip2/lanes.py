"""Blocks that are decoded together, up to the bytes of each in their order."""

import numpy as np

from preprocessing.sources.bzip2.symbols import INCOMPLETE, SPARE, WHOLE, sorted_bytes
from preprocessing.sources.bzip2.transform import PAIR_BITS, link, pair, unsorted

LANES = 4
MOST_BYTES = 900_000
"""Of a block of the highest level."""


class _Lane:
    """What one block is brought into order with."""

    def __init__(self) -> None:
        self.steps = np.empty(MOST_BYTES, np.uint32)
        self.pairs = np.empty(1 << PAIR_BITS, np.uint16)
        self.rare_rows = np.empty(1 << 16, np.uint32)
        self.rare_pairs = np.empty(1 << 16, np.uint16)


class _Room:
    """What blocks that are decoded together take, 20 MB for four."""

    def __init__(self) -> None:
        self.links = np.empty(MOST_BYTES + SPARE, np.uint32)
        self.counts = np.empty(256, np.int64)
        self.lanes: list[_Lane] = []


# Kept for the next blocks of any thread: as many as ever decoded at the same moment.
_free: list[_Room] = []


class Lanes:
    """Room for four blocks: 4 MB each, and as much for all. It is given back with their texts."""

    def __init__(self) -> None:
        try:
            self._room = _free.pop()
        except IndexError:
            self._room = _Room()
        self._rare: list[int] = []
        self._origins: list[int] = []
        self._sizes: list[int] = []

    @property
    def is_full(self) -> bool:
        return len(self._sizes) == LANES

    def read(self, words: np.ndarray, available: int, bit: int, most: int) -> tuple[int, int]:
        """Reads the block as `sorted_bytes` says, into a lane of its own; (what became of it, the bit behind it).

        `available`: of `words`, how many bits there are; those behind them are none.
        """
        room, number = self._room, len(self._sizes)
        links, counts, lanes = room.links, room.counts, room.lanes
        found, origin, size, end = sorted_bytes(words, bit, most, links, counts)
        if end > available:
            return INCOMPLETE, end
        if found == WHOLE:
            if number == len(lanes):
                lanes.append(_Lane())
            link(links, size, counts)
            lane = lanes[number]
            self._rare.append(pair(links, counts, lane.steps, lane.pairs, lane.rare_rows, lane.rare_pairs))
            self._origins.append(origin)
            self._sizes.append(size)
        return found, end

    def texts(self) -> list[np.ndarray]:
        """The bytes of the blocks, uint8, in order. To be asked for once, whatever was read."""
        room = self._room
        del self._room
        try:
            return self._texts(room.lanes) if self._sizes else []
        finally:
            _free.append(room)

    def _texts(self, used: list[_Lane]) -> list[np.ndarray]:
        lanes = (used * LANES)[:LANES]  # those without a block are not looked at
        texts = np.empty((len(self._sizes), (max(self._sizes) + 1) // 2), np.uint16)
        rare, origins, sizes = (np.array(held, np.int64) for held in (self._rare, self._origins, self._sizes))
        unsorted(
            tuple(lane.steps for lane in lanes),
            tuple(lane.pairs for lane in lanes),
            tuple(lane.rare_rows for lane in lanes),
            tuple(lane.rare_pairs for lane in lanes),
            rare,
            origins,
            sizes,
            texts,
        )
        return [text.view(np.uint8)[:size] for text, size in zip(texts, self._sizes, strict=True)]
