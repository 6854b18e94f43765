"""Python looks for garbage less often while a job runs, and as before when it is over."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from preprocessing.jobs.garbage_collection import collect_garbage, rare_collections


class Cycle:
    def __init__(self) -> None:
        self.me = self


def garbage() -> "weakref.ref[Cycle]":
    """Seen until somebody looks for it."""
    return weakref.ref(Cycle())


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    """Python's own, whatever the tests before have left."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    gc.unfreeze()
    gc.collect()
    yield gc.get_threshold()
    gc.set_threshold(*before)
    gc.unfreeze()


def test_within_the_block_it_is_rare_and_behind_it_as_before(thresholds: tuple[int, int, int]) -> None:
    with rare_collections():
        collect_garbage()
        assert gc.get_threshold()[0] > 10 * thresholds[0]
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0


def test_what_a_piece_of_work_leaves_goes_when_the_next_begins() -> None:
    collect_garbage()
    frozen = gc.get_freeze_count()
    for _ in range(3):
        left = garbage()
        assert left() is not None
        collect_garbage()
        assert left() is None
    assert gc.get_freeze_count() <= frozen, "nothing more is set aside"


def test_cycles_go_by_themselves_within_a_long_piece_of_work() -> None:
    collect_garbage()
    seen = [garbage() for _ in range(2 * gc.get_threshold()[0])]
    assert sum(one() is not None for one in seen) < len(seen) // 2 + 1
