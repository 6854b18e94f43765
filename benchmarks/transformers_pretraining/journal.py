"""What both loops write down: the clock of training alone, and a line of `metrics.jsonl` every few steps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pretraining.optimization.schedules import Schedule
from pretraining.run.metrics import MetricsLog


@dataclass
class Journal:
    """Counts what is trained on. Seconds are those of the loop, data included, without start and evaluation; CPU
    seconds are those of all threads of this process.
    """

    schedule: Schedule
    log: MetricsLog
    log_every: int  # steps
    evaluate_every: int  # steps; 0: not during training
    evaluate: Callable[[], dict[str, dict[str, Any]]]  # during training, outside the clock

    def __post_init__(self) -> None:
        self.steps = self.tokens = self.sequences = self.masked_tokens = 0
        self.loss: float | None = None  # of the last line
        self.is_over = False  # the budget is used up
        self._seconds = self._cpu_seconds = self._summed = 0.0
        self._since = 0  # steps since the last line
        self._began: tuple[float, float] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """The clock runs inside."""
        self._start()
        try:
            yield
        finally:
            self._stop()

    @property
    def seconds(self) -> float:
        """Of training so far."""
        return self._seconds + (time.perf_counter() - self._began[0] if self._began else 0.0)

    @property
    def cpu_seconds(self) -> float:
        """Of training so far."""
        return self._cpu_seconds + (time.process_time() - self._began[1] if self._began else 0.0)

    def rate(self, step: int) -> float:
        """The learning rate of update `step` (from 0), which is about to begin."""
        return self.schedule.rate(step, self.seconds)

    def saw(self, batch: dict[str, Tensor], part: float) -> None:
        """Counts a micro-batch and its part of the step's loss in nats."""
        self.tokens += int(batch["attention_mask"].sum())
        self.sequences += len(batch["input_ids"])
        self.masked_tokens += int((batch["labels"] >= 0).sum())
        self._summed += part

    def after_step(self, rate: float) -> None:
        """Ends a step, which had that learning rate; writes what is due."""
        self.steps += 1
        self._since += 1
        self.is_over = self.schedule.is_over(self.steps, self.seconds)  # asked once: the clock goes on
        if self.steps % self.log_every == 0 or self.is_over:
            self._write_line(rate)
        if self.evaluate_every and self.steps % self.evaluate_every == 0 and not self.is_over:
            self._stop()
            self.write_evaluation(self.evaluate())
            self._start()

    def write_evaluation(self, figures: dict[str, dict[str, Any]]) -> None:
        """Writes held-out figures after the last step, a line each for "all" and every source."""
        for source, values in figures.items():
            self.log.write({"event": "evaluation", "step": self.steps, "source": source, **values})

    def totals(self) -> dict[str, Any]:
        """What the whole run came to."""
        return {
            "steps": self.steps,
            "loss": self.loss,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "tokens": self.tokens,
            "masked_tokens": self.masked_tokens,
            "sequences": self.sequences,
        }

    def _write_line(self, rate: float) -> None:
        self.loss = self._summed / self._since
        totals = self.totals()
        self.log.write({"step": totals.pop("steps"), **totals, "learning_rate": rate})
        self._summed, self._since = 0.0, 0

    def _start(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def _stop(self) -> None:
        self._seconds, self._cpu_seconds = self.seconds, self.cpu_seconds
        self._began = None
