"""The clock of the stages of a build."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks import build_stages
from benchmarks.build_stages import OTHER, StageClock, patched
from preprocessing.documents.cleaning import Cleaner


def test_every_function_of_the_table_is_wrapped_and_given_back() -> None:
    before = Cleaner.clean
    with ExitStack() as stack:
        patched(StageClock(), stack)
        assert Cleaner.clean is not before
    assert Cleaner.clean is before


def test_a_stage_inside_another_is_charged_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "process_time", lambda: now[0])
    clock = StageClock()

    def work(seconds: float) -> float:
        now[0] += seconds
        return seconds

    inner = clock.wrapped("inner", work)

    def numbers() -> Iterator[float]:
        for seconds in (1.0, 2.0):
            work(10.0)
            yield inner(seconds)

    outer = clock.wrapped("outer", numbers)
    assert [work(100.0) + found for found in outer()] == [101.0, 102.0]
    assert clock.wrapped("reader", lambda: work)()(5.0) == 5.0
    clock.enter(OTHER)
    assert clock.seconds == {"outer": 20.0, "inner": 3.0, OTHER: 200.0, "reader": 5.0}


def test_each_stage_has_a_name_of_its_own() -> None:
    places = [(module, name) for _, module, name in build_stages.STAGES]
    assert len(set(places)) == len(places)
