"""Looking at many files at once: it waits for the disk, or for a file server."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BLOCK_BYTES = 1 << 17
"""What `work` should read of a file at a time. The C library (glibc) keeps for each thread some of what it freed, twice
its largest block and more: eight threads that read 4 MiB at a time left 35 MB in the process until its end."""
_THREADS = 8
_AT_A_TIME = 1024  # what waits takes a kilobyte an item, and there may be millions


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` on each item, by several threads; results come in the order of the items. Raises what `work` raises."""
    with ThreadPoolExecutor(_THREADS) as pool:
        for begin in range(0, len(items), _AT_A_TIME):
            yield from pool.map(work, items[begin : begin + _AT_A_TIME])
