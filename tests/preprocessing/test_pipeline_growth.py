"""What a process holds between two pieces of work does not grow with the pieces that are done."""

import gc
import sys

import pytest

from preprocessing.build import graph
from preprocessing.jobs import watch
from preprocessing.storage import StorageOptions
from tests.preprocessing.small_build import Build

WARM = 3  # pieces of each kind that may fill caches


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """By DoFn, how many objects Python keeps when each piece of work has begun, which ends what the one before left."""
    found: dict[str, list[int]] = {}
    begin = graph.begin_work

    def begin_work(storage: StorageOptions) -> None:
        begin(storage)
        found.setdefault(sys._getframe(1).f_code.co_qualname, []).append(len(gc.get_objects()))

    monkeypatch.setattr(graph, "begin_work", begin_work)
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 1000.0)  # its thread makes objects of its own, at any moment
    return found


def test_objects_do_not_grow_with_splits_and_buckets(build_shards: Build, held: dict[str, list[int]]) -> None:
    assert build_shards("--split-bytes", "1024", "--bucket-bytes", "2048", "--workers", "1") == 0
    assert sorted(held) == ["_Extract.process", "_Work.process"]
    for name, counts in held.items():
        pieces = len(counts)
        assert pieces > 25, name
        # Kept by every piece, one object would be half as many as there are pieces; Beam's threads come and go.
        growth = min(counts[-pieces // 4 :]) - max(counts[WARM : WARM + pieces // 4])
        assert growth < pieces // 4, (name, counts)
