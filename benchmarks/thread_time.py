"""CPU time of one thread, of ways that take turns."""

import time
from collections.abc import Callable


def best_of(ways: dict[str, Callable[[], None]], rounds: int, repeats: int = 1) -> dict[str, float]:
    """Milliseconds that each way takes: the best of rounds that alternate. torch must have one thread."""
    best = dict.fromkeys(ways, float("inf"))
    for way in ways.values():
        way()  # compiles
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.thread_time()
            for _ in range(repeats):
                way()
            best[name] = min(best[name], (time.thread_time() - start) / repeats * 1e3)
    return best
