"""Bad steps, counted: updates that were left out, losses that jump; and the wish to go back when too many come."""

import math
import statistics
from collections import deque
from dataclasses import dataclass, field

from pretraining.configuration.tables import HealthOptions
from pretraining.data.loader import GlobalBatch
from pretraining.data.sampler import PassedOver

_WINDOW = 100  # good steps whose losses say what is usual
_FEWEST = 20  # of them, before anything can be called a jump


class Rewind(Exception):  # noqa: N818 (a wish, not an error)
    """Asks to go back to the last checkpoint and to pass over the examples of these steps."""

    def __init__(self, steps: list[int], passed_over: list[PassedOver], why: str) -> None:
        super().__init__(why)
        self.steps, self.passed_over, self.why = steps, passed_over, why


@dataclass
class BadSteps:
    """Counts bad steps in a row; equal on every rank, as what it is told is."""

    options: HealthOptions
    _in_a_row: list[tuple[int, PassedOver]] = field(default_factory=list)
    _losses: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    @property
    def needs_losses(self) -> bool:
        """True when `note` must be told each step's loss, for which the host waits for the device."""
        return self.options.spike_factor is not None

    def note(self, step: int, batch: GlobalBatch, *, left_out: bool, loss: float | None = None) -> None:
        """Counts step number `step`; raises `Rewind` with the last one too many."""
        spiked = loss is not None and self._is_spike(loss)
        if not left_out and not spiked:
            self._in_a_row.clear()
            if loss is not None:
                self._losses.append(loss)
            return
        self._in_a_row.append((step, PassedOver(batch.position, batch.sequences)))
        if len(self._in_a_row) >= self.options.rewind_after:
            steps, ranges = [number for number, _ in self._in_a_row], [one for _, one in self._in_a_row]
            what = "the loss jumped" if spiked else "the gradient was not finite"
            raise Rewind(steps, ranges, f"{what} in {len(steps)} steps in a row, {steps[0]} to {steps[-1]}")

    def _is_spike(self, loss: float) -> bool:
        factor = self.options.spike_factor
        if factor is None or len(self._losses) < _FEWEST:
            return False
        return not math.isfinite(loss) or loss > factor * statistics.median(self._losses)
