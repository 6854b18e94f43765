"""Learning rate schedules: pure functions of the step, and of the time used where the run is bounded by time.

Steps count optimiser updates from 0. Nothing is kept between calls, so a resumed run needs only its step (and the
seconds it has used) to go on exactly.
"""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from pretraining.errors import PretrainingError
from pretraining.optimization.options import Section

MOST_STEPS = 1_000_000_000  # a thousand times BERT's own million
_TEN_YEARS = 315_360_000.0


class ScheduleConfig(Section):
    """The `[schedule]` table of a recipe.

    linear: straight down to the end; polynomial: the same with a power; warmup-stable-decay: constant, then linear
    over the last `decay_share` (Hu et al. 2024, section 4); time: linear over `seconds` of training, or over the steps
    where those are used up first (Izsak et al. 2021, section 3.3).
    """

    kind: Literal["linear", "polynomial", "warmup-stable-decay", "time", "constant"] = "linear"
    """How the rate falls after the warm-up."""
    warmup_steps: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps in which the rate rises linearly to its peak; fewer than the run has."""
    power: float = Field(1.0, gt=0.0, le=100.0)
    """Of kind polynomial."""
    decay_share: float = Field(0.1, gt=0.0, le=1.0)
    """Of kind warmup-stable-decay: the share of the steps after the warm-up in which the rate falls."""
    final_share: float = Field(0.0, ge=0.0, le=1.0)
    """Share of the peak rate that is left at the end."""
    seconds: float | None = Field(None, gt=0.0, le=_TEN_YEARS)
    """Of kind time: seconds of training that the whole run may use, all restarts together."""
    continuous: bool = True
    """no: as published, the decay counts from step 0 and so jumps down after the warm-up."""

    @model_validator(mode="after")
    def _kind_and_settings_agree(self) -> Self:
        if self.kind != "polynomial" and self.power != 1.0:
            raise ValueError(f"power is for kind = 'polynomial', not for {self.kind!r}")
        if (self.kind == "time") != (self.seconds is not None):
            raise ValueError("seconds belongs to kind = 'time', and kind = 'time' needs seconds")
        if self.kind != "warmup-stable-decay" and self.decay_share != 0.1:
            raise ValueError(f"decay_share is for kind = 'warmup-stable-decay', not for {self.kind!r}")
        if self.kind == "constant" and self.final_share != 0.0:
            raise ValueError("final_share is what is left of a rate that falls; kind = 'constant' stays at its peak")
        if not self.continuous and self.kind not in ("linear", "polynomial"):
            raise ValueError("continuous = false is the published code's decay: linear or polynomial only")
        return self


@dataclass(frozen=True)
class Schedule:
    """`rate` is the learning rate of one update; `total_steps` is the number of updates of the whole run."""

    config: ScheduleConfig
    peak_rate: float
    total_steps: int

    def rate(self, step: int, elapsed_seconds: float = 0.0) -> float:
        """Learning rate of update `step` (from 0). `elapsed_seconds`, of all restarts together, counts for
        kind = "time" alone and must be the same number on every rank.
        """
        return self.peak_rate * self._share(step, elapsed_seconds)

    def _share(self, step: int, elapsed_seconds: float) -> float:
        config, warmup = self.config, self.config.warmup_steps
        if not config.continuous:
            return step / warmup if step < warmup else self._decayed(min(1.0, step / self.total_steps))
        if step < warmup:
            return (step + 1) / warmup
        # 0 at the last update of warm-up, 1 just after the last update: no update is wasted on a rate of 0.
        progress = min(1.0, (step + 1 - warmup) / (self.total_steps + 1 - warmup))
        if config.seconds is not None:
            progress = max(progress, min(1.0, elapsed_seconds / config.seconds))
        if config.kind == "warmup-stable-decay":
            progress = max(0.0, 1.0 - (1.0 - progress) / config.decay_share)
        return 1.0 if config.kind == "constant" else self._decayed(progress)

    def _decayed(self, progress: float) -> float:
        final = self.config.final_share
        return final + (1.0 - final) * (1.0 - progress) ** self.config.power

    def is_over(self, step: int, elapsed_seconds: float = 0.0) -> bool:
        """True when `step` updates are done, or the time is used up."""
        seconds = self.config.seconds
        return step >= self.total_steps or (seconds is not None and elapsed_seconds >= seconds)


def build_schedule(config: ScheduleConfig, peak_rate: float, total_steps: int) -> Schedule:
    """Checks that warm-up ends within the run; PretrainingError otherwise.

    Warm-up as long as the run is refused for every kind, for constant too: the rate would only rise, and no step would
    have what the kind is named for.
    """
    if total_steps < 1:
        raise PretrainingError(f"a run of {total_steps} steps trains nothing: set at least 1")
    if config.warmup_steps >= total_steps:
        raise PretrainingError(
            f"schedule.warmup_steps is {config.warmup_steps} and training.steps {total_steps}, so no step is left "
            "after the warm-up: lower the one or raise the other"
        )
    return Schedule(config, peak_rate, total_steps)
