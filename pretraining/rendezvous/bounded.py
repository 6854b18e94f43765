"""Waiting that ends: what may hang for ever is done in a thread, and left alone when its time is up."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from pretraining.errors import JoinError

_TICK = 0.05
T = TypeVar("T")


def bounded(
    work: Callable[[], T],
    seconds: float,
    too_late: Callable[[], str],
    wish_to_stop: Callable[[], str | None] = lambda: None,
) -> T:
    """The result of `work`, or what it raised. JoinError after `seconds`, or when somebody wishes to stop.

    `too_late` says what was waited for, `wish_to_stop` who wishes it. torch's own time-outs do not do: connecting to a
    port where another program listens in silence waits without one, and no signal's handler runs meanwhile.
    """
    done: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, name="joining", daemon=True)
    deadline = time.monotonic() + seconds
    thread.start()
    while thread.is_alive():
        thread.join(_TICK)
        if thread.is_alive() and (wish := wish_to_stop()):
            raise JoinError(f"{wish} before all ranks had met; start the same command again")
        if thread.is_alive() and time.monotonic() > deadline:
            raise JoinError(too_late())
    if failures:
        raise failures[0]
    return done[0]
