"""Notes that somebody asked the run to stop. Imports nothing heavy: the signal may come before torch is loaded."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from pretraining.errors import RetryablePretrainingError
from pretraining.run.health.launcher import Launcher

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
AGAIN = 1.0  # seconds: a launcher that is interrupted sends several signals at once, which are one wish
INTERRUPTED = RetryablePretrainingError.exit_code  # of a run that wants to be started again
LAUNCHER_GONE, TIME_IS_UP = 100, 101  # wishes to stop besides the numbers of signals
_OTHER_WISHES = {LAUNCHER_GONE: "the launcher is gone", TIME_IS_UP: "the job's time is nearly up"}


def wish_named(wish: int) -> str:
    """What a wish is called in messages and in state.json."""
    return _OTHER_WISHES.get(wish) or signal.Signals(wish).name


class StopRequest:
    """The first signal asks for a checkpoint and an orderly end; a second one, a second later, ends at once.

    A context manager. A thread takes the signals, so that they are heard while the main thread waits for other ranks.
    When the launcher that started this rank is gone, that is a wish to stop as well: nobody else would end the rank.
    """

    def __init__(self) -> None:
        self.wish = 0  # the number of the first signal, or one of the other wishes; 0: nobody asked
        self._first = 0.0
        self._before: dict[int, Any] = {}
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        self._fd_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _leave_to_thread) for number in SIGNALS}
        threading.Thread(
            target=self._listen, args=(self._pipe[0], Launcher.find()), name="signals", daemon=True
        ).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        if self._pipe is not None:
            os.close(self._pipe[1])  # ends the thread

    def note(self, wish: int) -> None:
        """A wish to stop: the number of a signal, or `LAUNCHER_GONE`."""
        if not self.wish:
            self.wish, self._first = wish, time.monotonic()
        elif wish in SIGNALS and time.monotonic() - self._first > AGAIN:
            print(f"{wish_named(wish)} again: ended at once", file=sys.stderr, flush=True)
            _end_at_once(INTERRUPTED)

    def _listen(self, source: int, launcher: Launcher) -> None:
        while True:
            ready, _, _ = select.select([source], [], [], 1.0)
            if ready:
                numbers = os.read(source, 64)
                if not numbers:
                    os.close(source)
                    return
                for number in numbers:
                    if number in SIGNALS:
                        self.note(number)
            if not self.wish and launcher.is_gone():
                self.note(LAUNCHER_GONE)


def _leave_to_thread(number: int, frame: FrameType | None) -> None:
    """The signal's number is in the pipe by now."""


_end_at_once: Callable[[int], None] = os._exit
