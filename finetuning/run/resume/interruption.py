"""Signals that ask a run to end: at once, or where it is asked to wait, at a place where nothing is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; what Slurm sends before it kills; and what it is asked to send before a job's time is over."""


class Interruption:
    """Whether a signal came that asks this process to end. Outside of `deferred` it raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        self._waits = False

    def listen(self) -> None:
        """Take the signals from now on. Not as one rank of several: one must not end without the others."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            for number in SIGNALS:
                signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if not self._waits and not again:  # Slurm and a sweep may both send one: what the first began goes on
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """In the block a signal only sets `asked`, where the block can look; KeyboardInterrupt comes at its end."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False
        if self.asked:
            raise KeyboardInterrupt


interruption = Interruption()
"""That of this process: signals are the process's own."""
