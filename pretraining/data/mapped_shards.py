"""The shards of a run, each mapped into memory when it is first asked for, and no more at a time than a process may.

Linux allows a process `vm.max_map_count` mappings, 65,530 by default; a build of 75,000 buckets has more shards than
that. So those that were used longest ago make room, over all splits and shard sets of the process. Where everything
fits, nothing is ever unmapped.
"""

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.shards import FileRecord, Shard, ShardRecords, ShardSet
from pretraining.data.packing_loops import ShardTable
from pretraining.errors import PretrainingError, RetryablePretrainingError

_MAX_MAP_COUNT = Path("/proc/sys/vm/max_map_count")
_DEFAULT_MAX_MAP_COUNT = 65_530
_SHARE = 2  # libraries, threads and the allocator need mappings too


def most_mappings() -> int:
    """How many shards a process maps at a time: half of what the kernel allows it."""
    allowed = _DEFAULT_MAX_MAP_COUNT
    with suppress(OSError, ValueError):  # not Linux, or no /proc
        allowed = int(_MAX_MAP_COUNT.read_text())
    return max(1, allowed // _SHARE)


class Mappings:
    """At most `limit` mapped shards. Its lock is held while one works on what is mapped, so nobody takes it away."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lock = threading.RLock()
        self._holders: weakref.WeakSet[MappedShards] = weakref.WeakSet()
        self._clock = self._shards = 0

    @property
    def live(self) -> int:
        """Shards that are mapped now."""
        return sum(holder.live for holder in self._holders)

    def join(self, holder: "MappedShards") -> None:
        """From now on the shards of `holder` count too."""
        with self.lock:
            self._holders.add(holder)
            self._shards = sum(map(len, self._holders))

    @property
    def may_unmap(self) -> bool:
        """Whether there are more shards than may be mapped; else it does not matter which were used when."""
        return self._shards > self.limit

    def tick(self) -> int:
        """The time, in uses."""
        self._clock += 1
        return self._clock

    def make_room(self, wanted: int) -> None:
        """Unmaps what was used longest ago until `wanted` more fit. What was used at the last tick stays."""
        too_many = self.live + wanted - self.limit
        if too_many <= 0:
            return
        holders = list(self._holders)
        times = np.concatenate([holder.last_used for holder in holders])
        mapped = np.flatnonzero((times > 0) & (times < self._clock))
        # A few more than must be, so that not every use looks through all of them.
        count = min(len(mapped), max(too_many, self.limit // 16))
        oldest = mapped[np.argpartition(times[mapped], count - 1)[:count]] if count else mapped
        begin = 0
        for holder in holders:
            end = begin + len(holder.last_used)
            holder.unmap(oldest[(oldest >= begin) & (oldest < end)] - begin)
            begin = end


OF_PROCESS = Mappings(most_mappings())


class MappedShards:
    """The shards of several sets that hold an example, numbered through, and the addresses of those that are mapped."""

    def __init__(self, sets: Sequence[ShardSet], records: Sequence[ShardRecords], mappings: Mappings) -> None:
        self.mappings = mappings
        self._sets, self._records = sets, records
        self._first_shard = np.cumsum([0, *map(len, records)])
        count = int(self._first_shard[-1])
        rows = np.concatenate([np.zeros(1, np.int64), *(one.rows for one in records)])
        columns = {name: np.zeros(count, np.int64) for name in ShardTable._fields}
        vocabularies = [one.manifest.vocabulary_size for one in sets]
        self.table = ShardTable(
            **columns
            | {
                "first_example": np.cumsum(rows),
                "wide": np.zeros(count, bool),
                "vocabulary": np.repeat(vocabularies, [len(one) for one in records]).astype(np.int64),
            }
        )
        self.last_used = np.zeros(count, np.int64)  # 0: not mapped
        self._mapped: dict[int, pa.Table] = {}  # keeps the memory mapped
        mappings.join(self)

    def __len__(self) -> int:
        return len(self.last_used)

    @property
    def live(self) -> int:
        """Shards that are mapped now."""
        return len(self._mapped)

    def locate(self, shard: int) -> tuple[ShardSet, FileRecord]:
        """The set that a shard is of, and its file."""
        number = int(np.searchsorted(self._first_shard, shard, side="right")) - 1
        return self._sets[number], self._records[number].file(shard - int(self._first_shard[number]))

    def of_examples(self, examples: np.ndarray) -> np.ndarray:
        """The shard of each example, int64 as `examples`."""
        return np.searchsorted(self.table.first_example, examples, side="right") - 1

    def column(self, shard: int, name: str) -> pa.Array:
        """One column of one shard, which stays mapped while the array lives."""
        with self.mappings.lock:
            self._use(np.array([shard]))
            return self._mapped[shard].column(name).chunk(0)

    def parts(self, examples: np.ndarray) -> Iterator[np.ndarray]:
        """Places in `examples` (int64 [n]), part for part; while a part is worked on, its shards are mapped.

        To be called and used up with the lock of `mappings` held. All are one part unless they are of more shards than
        may be mapped. PretrainingError, naming the file, for one that cannot be mapped.
        """
        if self.live == len(self) and not self.mappings.may_unmap:
            yield np.arange(len(examples))
            return
        distinct, number = np.unique(self.of_examples(examples), return_inverse=True)
        limit = self.mappings.limit
        if len(distinct) <= limit:
            self._use(distinct)
            yield np.arange(len(examples))
            return
        for begin in range(0, len(distinct), limit):
            self._use(distinct[begin : begin + limit])
            yield np.flatnonzero((number >= begin) & (number < begin + limit))

    def unmap(self, shards: np.ndarray) -> None:
        """Gives the mappings of these shards back."""
        self.last_used[shards] = 0
        for shard in shards.tolist():
            del self._mapped[shard]

    def _use(self, distinct: np.ndarray) -> None:
        missing = distinct[self.last_used[distinct] == 0]
        self.last_used[distinct[self.last_used[distinct] > 0]] = self.mappings.tick()
        self.mappings.make_room(len(missing))
        for shard in missing.tolist():
            self._map(shard)

    def _map(self, shard: int) -> None:
        shard_set, record = self.locate(shard)
        try:
            found = shard_set.read(record)
        except TransientError as error:
            raise RetryablePretrainingError(str(error)) from error
        except PreprocessingError as error:
            raise PretrainingError(str(error)) from error
        for name, value in _addresses(found).items():
            getattr(self.table, name)[shard] = value
        self._mapped[shard] = found.table
        self.last_used[shard] = self.mappings.tick()


def _addresses(shard: Shard) -> dict[str, int]:
    """The address of every column of a mapped shard. The first and last offsets bound all others if those ascend."""
    bitmap = shard.table.column("is_random_next").chunk(0)
    if bitmap.offset:
        raise PretrainingError(f"{shard.path} holds a sliced column, which no writer of shards makes; build it again")
    return {
        "tokens": len(shard.input_ids),
        "masked": min(len(shard.masked_positions), len(shard.masked_labels)),
        "token_offsets": shard.token_offsets.ctypes.data,
        "input_ids": shard.input_ids.ctypes.data,
        "segment_b_start": shard.segment_b_start.ctypes.data,
        "mask_offsets": shard.mask_offsets.ctypes.data,
        "masked_positions": shard.masked_positions.ctypes.data,
        "masked_labels": shard.masked_labels.ctypes.data,
        "is_random_next": bitmap.buffers()[1].address,
        "wide": shard.input_ids.dtype.itemsize == 4,
    }
