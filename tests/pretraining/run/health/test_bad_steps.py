"""When a run goes back: after so many bad steps in a row, past their examples."""

from typing import Any

import pytest

from pretraining.configuration.tables import HealthOptions
from pretraining.data.loader import GlobalBatch
from pretraining.data.sampler import PassedOver, Position
from pretraining.run.health.bad_steps import BadSteps, Rewind


def batch(step: int) -> GlobalBatch:
    return GlobalBatch(Position(1, 8 * step), (), 0, 1, 8, 1, 1, Position(1, 8 * step + 8))


def steps(options: dict[str, Any], outcomes: str, losses: list[float] | None = None) -> Rewind | None:
    """`x` is an update that was left out, `.` one that was made."""
    bad = BadSteps(HealthOptions(**options))
    try:
        for step, outcome in enumerate(outcomes, start=1):
            loss = losses[step - 1] if losses else None
            bad.note(step, batch(step), left_out=outcome == "x", loss=loss)
    except Rewind as rewind:
        return rewind
    return None


def test_in_a_row() -> None:
    assert steps({"rewind_after": 3}, "xx.xx.xx.") is None
    rewind = steps({"rewind_after": 3}, "xx.xxx")
    assert rewind is not None
    assert rewind.steps == [4, 5, 6]
    assert rewind.passed_over == [PassedOver(Position(1, 8 * step), 8) for step in (4, 5, 6)]
    assert str(rewind) == "the gradient was not finite in 3 steps in a row, 4 to 6"


def test_a_loss_that_jumps() -> None:
    usual = [2.0, 2.2] * 15
    options = {"rewind_after": 2, "spike_factor": 1.5}
    assert steps(options, "." * 32, [*usual, 9.0, 2.0]) is None
    rewind = steps(options, "." * 32, [*usual, 9.0, float("nan")])
    assert rewind is not None
    assert rewind.why == "the loss jumped in 2 steps in a row, 31 to 32"
    assert steps({"rewind_after": 2}, "." * 32, [*usual, 9.0, 9.0]) is None  # off by default
    assert steps(options, "." * 12, [*usual[:10], 9.0, 9.0]) is None  # too early to know what is usual


def test_what_jumped_is_not_usual() -> None:
    options = {"rewind_after": 5, "spike_factor": 2.0}
    losses = [1.0] * 20 + [3.0] * 4 + [1.0] + [3.0] * 5
    with_spikes = steps(options, "." * 30, losses)
    assert with_spikes is not None
    assert with_spikes.steps == [26, 27, 28, 29, 30]


def test_losses_are_read_only_where_they_are_wanted() -> None:
    assert not BadSteps(HealthOptions()).needs_losses
    assert BadSteps(HealthOptions(spike_factor=2)).needs_losses


@pytest.mark.parametrize("key", ["rewind_after", "spike_factor", "watchdog_seconds", "lost_after_seconds"])
def test_bounds(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        HealthOptions(**{key: 0})
