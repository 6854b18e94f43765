"""Wishes to stop: signals, and a launcher that is gone."""

import os
import signal
import time

import pytest

from pretraining.run.health import stop
from pretraining.run.health.launcher import Launcher
from pretraining.run.health.stop import LAUNCHER_GONE, StopRequest, wish_named


def until(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", stop.SIGNALS)
def test_a_signal_is_noted_and_handlers_come_back(number: signal.Signals) -> None:
    before = {one: signal.getsignal(one) for one in stop.SIGNALS}
    with StopRequest() as request:
        assert request.wish == 0
        os.kill(os.getpid(), number)
        until(lambda: request.wish)
        assert request.wish == number
        assert wish_named(request.wish) == number.name
    assert {one: signal.getsignal(one) for one in stop.SIGNALS} == before


def test_several_at_once_are_one_wish_and_a_later_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that is interrupted sends SIGINT and SIGTERM within a tenth of a second."""
    ended: list[int] = []
    monkeypatch.setattr(stop, "_end_at_once", ended.append)
    request = StopRequest()
    request.note(signal.SIGINT)
    request.note(signal.SIGTERM)
    assert ended == []
    assert request.wish == signal.SIGINT
    request._first -= 2 * stop.AGAIN
    request.note(LAUNCHER_GONE)  # not a second wish of anybody
    assert ended == []
    request.note(signal.SIGTERM)
    assert ended == [75]


def test_the_launcher_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[bool] = []
    monkeypatch.setattr(Launcher, "is_gone", lambda self: bool(gone))
    with StopRequest() as request:
        time.sleep(1.3)
        assert request.wish == 0
        gone.append(True)
        until(lambda: request.wish)
        assert wish_named(request.wish) == "the launcher is gone"
