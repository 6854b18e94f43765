"""A command of the road, run to its end; whoever stops this process stops it too, and waits until it has ended.

A command saves what it has when it is asked to stop, and that takes as long as it takes. Asked a second time, it is
killed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from pretraining.adaptation.commands import ROOT
from pretraining.errors import PretrainingError, RetryablePretrainingError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
STOPPED = "stopped; the same command goes on from here"


class ChildProcesses:
    """Runs commands in turn; a context manager, in the main thread, which hears signals for them."""

    def __init__(self) -> None:
        self.times_asked = 0
        self._running: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._heard) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, name: str, words: Sequence[str]) -> None:
        """Runs a command; its output goes where this process's goes.

        Raises PretrainingError when it fails, RetryablePretrainingError when it was stopped or may succeed later.
        """
        self.go_on()
        sys.stdout.flush()
        # A session of its own: Ctrl-C reaches this process alone. Its files stay open there, and with them the lock of
        # the folder, where this process is killed.
        self._running = subprocess.Popen(words, env=environment(), start_new_session=True, close_fds=False)
        if self.times_asked:  # between the two lines above
            self._pass_on(signal.SIGTERM)
        code = self._running.wait()
        self._running = None
        self.go_on()
        if code == RetryablePretrainingError.exit_code:
            raise RetryablePretrainingError(f"{name} was interrupted; {STOPPED.partition('; ')[2]}")
        if code:
            ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise PretrainingError(
                f"{name} {ended}; what it said stands above. Mend that and give the same command again: what is "
                "complete is kept"
            )

    def go_on(self) -> None:
        """RetryablePretrainingError when this process was asked to stop."""
        if self.times_asked:
            raise RetryablePretrainingError(STOPPED)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.times_asked += 1
        self._pass_on(signal.SIGTERM if self.times_asked == 1 else signal.SIGKILL)

    def _pass_on(self, number: signal.Signals) -> None:
        if self._running is not None and self._running.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, number)


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Of a command: it finds the stages from every working directory."""
    path = os.pathsep.join(part for part in (str(ROOT), given.get("PYTHONPATH", "")) if part)
    return {**given, "PYTHONPATH": path}
