"""Learning rate schedules."""

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from pretraining.errors import PretrainingError
from pretraining.optimization.schedules import ScheduleConfig, build_schedule


def rates(steps: int, peak: float = 1.0, **settings: Any) -> list[float]:
    schedule = build_schedule(ScheduleConfig(**settings), peak, steps)
    return [schedule.rate(step) for step in range(steps)]


def test_linear_warms_up_to_the_peak_and_decays_without_a_jump_or_a_wasted_step() -> None:
    expected = [0.5, 1.0, 1.5, 2.0, *(2.0 * left / 7 for left in (6, 5, 4, 3, 2, 1))]
    assert rates(10, peak=2.0, warmup_steps=4) == pytest.approx(expected)


def test_the_published_decay_starts_at_zero_and_jumps_down_after_warm_up() -> None:
    expected = [0.0, 0.25, 0.5, 0.75, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]
    assert rates(10, warmup_steps=4, continuous=False) == pytest.approx(expected)


def test_polynomial_power_and_final_rate() -> None:
    expected = [0.2 + 0.8 * (left / 5) ** 0.5 for left in (4, 3, 2, 1)]
    assert rates(4, kind="polynomial", power=0.5, final_share=0.2) == pytest.approx(expected)


def test_warmup_stable_decay_is_flat_between() -> None:
    shape = rates(100, kind="warmup-stable-decay", warmup_steps=10, decay_share=0.25)
    assert shape[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert shape[10:77] == [1.0] * 67
    drops = [before - after for before, after in itertools.pairwise(shape[78:])]
    assert drops == pytest.approx([drops[0]] * len(drops))
    assert 0 < shape[-1] < 0.05


def test_constant_stays_after_warm_up() -> None:
    assert rates(4, kind="constant", warmup_steps=2) == [0.5, 1.0, 1.0, 1.0]


def test_time_follows_whichever_is_used_up_first() -> None:
    schedule = build_schedule(ScheduleConfig(kind="time", seconds=3600, warmup_steps=10), 1.0, 1_000_009)
    assert schedule.rate(4, 100) == pytest.approx(0.5)
    assert schedule.rate(50, 900) == pytest.approx(0.75)
    assert schedule.rate(50, 4000) == 0.0
    assert schedule.rate(750_008, 900) == pytest.approx(0.25, abs=1e-5)
    assert not schedule.is_over(50, 3599)
    assert schedule.is_over(50, 3600)
    assert schedule.is_over(1_000_009, 10)


@pytest.mark.parametrize("kind", ["linear", "polynomial", "warmup-stable-decay", "constant"])
def test_a_rate_depends_on_nothing_but_the_step(kind: str) -> None:
    forwards = rates(50, kind=kind, warmup_steps=10)
    schedule = build_schedule(ScheduleConfig(kind=kind, warmup_steps=10), 1.0, 50)
    assert [schedule.rate(step) for step in reversed(range(50))] == forwards[::-1]
    assert min(forwards) > 0.0
    assert max(forwards) == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"power": 2.0}, "polynomial"),
        ({"kind": "time"}, "needs seconds"),
        ({"seconds": 5.0}, "belongs to kind = 'time'"),
        ({"kind": "warmup-stable-decay", "continuous": False}, "linear or polynomial only"),
        ({"decay_share": 0.5}, "decay_share is for kind = 'warmup-stable-decay'"),
        ({"kind": "constant", "final_share": 0.5}, "stays at its peak"),
        ({"warm_up": 3}, "warm_up"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ScheduleConfig(**settings)


@pytest.mark.parametrize("kind", ["linear", "constant"])
@pytest.mark.parametrize(
    ("warmup", "steps", "message"),
    [(0, 0, "trains nothing"), (11, 10, "no step is left"), (10, 10, "no step is left")],
)
def test_a_warm_up_as_long_as_the_run_is_refused(warmup: int, steps: int, message: str, kind: str) -> None:
    with pytest.raises(PretrainingError, match=message):
        build_schedule(ScheduleConfig(kind=kind, warmup_steps=warmup), 1.0, steps)
