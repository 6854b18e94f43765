"""Waiting ends in time, also where what is waited for never would."""

import threading
import time

import pytest

from pretraining.errors import JoinError
from pretraining.rendezvous.bounded import bounded


def test_what_comes_in_time_is_handed_on() -> None:
    assert bounded(lambda: 7, 60, lambda: "never") == 7


def test_an_error_is_handed_on() -> None:
    def fail() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        bounded(fail, 60, lambda: "never")


def test_what_hangs_is_left_alone() -> None:
    hanging = threading.Event()
    began = time.monotonic()
    with pytest.raises(JoinError, match="nobody came"):
        bounded(hanging.wait, 0.2, lambda: "nobody came")
    assert time.monotonic() - began < 30
    hanging.set()


def test_a_wish_to_stop_ends_it() -> None:
    hanging, wishes = threading.Event(), [None, None, "SIGTERM"]
    with pytest.raises(JoinError, match="SIGTERM before all ranks had met"):
        bounded(hanging.wait, 60, lambda: "never", lambda: wishes.pop(0))
    hanging.set()
