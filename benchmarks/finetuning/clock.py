"""Wall and processor seconds of a training loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Returned = TypeVar("Returned")


@dataclass
class Clock:
    """Seconds between `start` and `stop`; of the processor, those of all threads of this process."""

    seconds: float = 0.0
    processor_seconds: float = 0.0

    def start(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        self.seconds = time.perf_counter() - self._began[0]
        self.processor_seconds = time.process_time() - self._began[1]

    def around(self, function: Callable[P, Returned]) -> Callable[P, Returned]:
        """The same function, timed."""

        def timed(*arguments: P.args, **options: P.kwargs) -> Returned:
            self.start()
            try:
                return function(*arguments, **options)
            finally:
                self.stop()

        return timed
