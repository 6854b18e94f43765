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


def test_the_published_decay_of_kind_polynomial_has_its_power() -> None:
    expected = [0.0, 0.5, *(0.1 + 0.9 * (left / 6) ** 2 for left in (4, 3, 2, 1))]
    settings = {"kind": "polynomial", "power": 2.0, "final_share": 0.1}
    assert rates(6, warmup_steps=2, continuous=False, **settings) == pytest.approx(expected)


@pytest.mark.parametrize("continuous", [True, False])
def test_behind_the_end_the_rate_stays_what_it_was_there(continuous: bool) -> None:
    schedule = build_schedule(ScheduleConfig(continuous=continuous, final_share=0.25), 2.0, 10)
    assert [schedule.rate(step) for step in (10, 11, 15, 1000)] == [0.5] * 4


def test_a_run_of_one_step_is_a_run() -> None:
    assert rates(1, peak=4.0) == [2.0]


def test_no_time_is_used_where_none_is_said() -> None:
    schedule = build_schedule(ScheduleConfig(kind="time", seconds=1.0), 1.0, 100)
    assert schedule.rate(0) == schedule.rate(0, 0.0) == pytest.approx(100 / 101)
    assert not schedule.is_over(0)


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ("warmup_steps", (0, 1_000_000_000), (-1, 1_000_000_001)),
        ("power", (1e-9, 100.0), (0.0, 100.5)),
        ("decay_share", (1e-9, 1.0), (0.0, 1.5)),
        ("final_share", (0.0, 1.0), (-0.5, 1.5)),
        ("seconds", (1e-9, 315_360_000.0), (0.0, 315_360_000.5)),
    ],
)
def test_numbers_have_limits(key: str, allowed: tuple[float, ...], refused: tuple[float, ...]) -> None:
    kinds = {"power": "polynomial", "decay_share": "warmup-stable-decay", "seconds": "time"}
    kind = kinds.get(key, "linear")
    for value in allowed:
        assert getattr(ScheduleConfig(kind=kind, **{key: value}), key) == value  # type: ignore[arg-type]
    for value in refused:
        with pytest.raises(ValidationError, match=key):
            ScheduleConfig(kind=kind, **{key: value})  # type: ignore[arg-type]


def test_the_defaults_of_a_schedule() -> None:
    assert ScheduleConfig().model_dump() == {
        "kind": "linear",
        "warmup_steps": 0,
        "power": 1.0,
        "decay_share": 0.1,
        "final_share": 0.0,
        "seconds": None,
        "continuous": True,
    }
