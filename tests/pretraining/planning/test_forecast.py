"""Hours on so many cards: monotone where they must be, and next to what was measured."""

from typing import Any

import pytest

from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.planning.cards import card_named
from pretraining.planning.constants import measured
from pretraining.planning.flops import Work
from pretraining.planning.forecast import Cluster, Forecast, expected_mfu, forecast

RECIPE = Recipe.model_validate(
    {
        "model": {"size": "large"},
        "training": {"steps": 7038, "batch_size": 65_536, "micro_batch_size": 64, "precision": "bf16"},
        "evaluation": {"every": 500, "examples": 20_000},
        "checkpoint": {"every": 100},
        "optimizer": {"name": "lamb"},
    }
)
CONFIG = RECIPE.model.build(30_522)
BATCH = Work(65_536 * 109, 65_536 * 109 * 128, 65_536 * 16, 65_536)


def plan(
    ranks: int, card: str = "h100", link: str = "ib400", size: int = 64, mfu: float | None = 0.4, **changes: Any
) -> Forecast:
    recipe = RECIPE.model_copy(update=changes)
    return forecast(recipe, CONFIG, Cluster(card_named(card), ranks, link=link), BATCH, size, mfu)


def test_hours_fall_with_gpus_until_communication_bounds_them() -> None:
    fast = [plan(ranks).hours for ranks in (1, 2, 4, 8, 16, 64, 512)]
    assert fast == sorted(fast, reverse=True)
    slow = {ranks: plan(ranks, link="10gbe") for ranks in (64, 128, 512, 1024)}
    for found in slow.values():  # a ring takes as long however many ranks it has
        assert found.communication_seconds == pytest.approx(slow[64].communication_seconds, rel=0.02)
    assert slow[1024].step_seconds > slow[64].step_seconds / 4
    assert slow[1024].communication_share > 0.9 > slow[64].communication_share


def test_a_slower_link_never_helps() -> None:
    hours = [plan(64, link=link).hours for link in ("ib400", "ib200", "100gbe", "25gbe", "10gbe")]
    assert hours == sorted(hours)
    assert hours[0] < hours[-1]


def test_stages_that_talk_more_take_longer() -> None:
    hours = [plan(64, link="25gbe", deepspeed={"zero_optimization": {"stage": stage}}).hours for stage in range(3)]
    assert hours == sorted(hours)
    assert len(set(hours)) == 3


def test_overlap_hides_what_fits_behind_the_backward_pass() -> None:
    zero = {"stage": 1, "overlap_comm": False}
    plain = plan(64, deepspeed={"zero_optimization": zero})
    hidden = plan(64, deepspeed={"zero_optimization": {**zero, "overlap_comm": True}})
    assert hidden.communication_seconds < plain.communication_seconds
    assert hidden.communication_seconds >= plain.communication_seconds / 3 * 0.99  # weights are gathered in the open


def test_parts_add_up() -> None:
    found = plan(64)
    assert found.step_seconds == found.compute_seconds + found.communication_seconds
    whole = 7038 * found.step_seconds + found.checkpoints * found.checkpoint_seconds
    assert found.hours == pytest.approx((whole + found.evaluation_seconds + found.startup_seconds) / 3600)
    assert found.checkpoints == 71
    assert found.tokens_per_second == pytest.approx(BATCH.tokens / found.step_seconds)


def test_data_bounds_a_step_that_is_shorter() -> None:
    tiny = Recipe.model_validate({"model": {"size": "tiny"}, "training": RECIPE.training.model_dump()})
    found = forecast(tiny, tiny.model.build(30_522), Cluster(card_named("b200"), 512, link="ib400"), BATCH, 64, 1.0)
    assert found.step_seconds == found.data_seconds > found.compute_seconds


def test_an_expected_mfu_goes_before_the_measured_one() -> None:
    assert plan(8, mfu=0.2).compute_seconds == pytest.approx(2 * plan(8, mfu=0.4).compute_seconds)
    assert plan(8, mfu=0.2).basis["compute"].startswith("planned: --mfu")


@pytest.mark.parametrize(
    ("length", "size", "micro_batches", "tokens", "masked", "rate"),
    [
        (128, 64, 4, 30_358, 4_226, 125_376),
        (128, 256, 2, 60_352, 8_395, 184_841),
        (128, 640, 2, 150_291, 20_900, 199_337),
        (512, 16, 4, 30_018, 4_263, 119_508),
        (512, 64, 2, 59_357, 8_428, 167_142),
    ],
)
def test_one_h200_is_planned_as_it_was_measured(
    length: int, size: int, micro_batches: int, tokens: int, masked: int, rate: int
) -> None:
    """Tokens a second of docs/gpu.md, second run, as it is; within 15 %."""
    batch = Work(tokens, tokens * length, masked, size * micro_batches)
    recipe = Recipe.model_validate(
        {
            "model": {"size": "large"},
            "data": {"sequence_length": length},
            "training": {
                "steps": 9,
                "batch_size": size * micro_batches,
                "micro_batch_size": size,
                "precision": "bf16",
            },
        }
    )
    found = forecast(recipe, CONFIG, Cluster(card_named("h200"), 1), batch, size, None)
    assert found.tokens_per_second == pytest.approx(rate, rel=0.15)
    assert found.basis["compute"].startswith("measured")


def test_mfu_of_other_cards_is_planned_from_the_reference() -> None:
    _, reference = measured()
    assert expected_mfu(card_named("h200"), "bf16") == pytest.approx(reference.mfu)
    # The same chip with slower memory.
    assert expected_mfu(card_named("h100"), "bf16") < reference.mfu
    # Its own peak stands for more of the time where products are slow beside memory.
    assert expected_mfu(card_named("a100"), "bf16") > expected_mfu(card_named("h100"), "bf16")
    for name in ("v100", "t4", "a100", "l4", "rtx-4090", "b200"):
        assert 0.05 < expected_mfu(card_named(name), "fp16") <= reference.mfu
    assert plan(8, "a100", mfu=None).basis["compute"].startswith("planned")


def test_a_schedule_of_time_ends_earlier_than_its_steps() -> None:
    timed = Recipe.model_validate({**RECIPE.model_dump(by_alias=True), "schedule": {"kind": "time", "seconds": 3600}})
    found = forecast(timed, CONFIG, Cluster(card_named("h100"), 8), BATCH, 64, 0.4)
    assert found.hours * 3600 == pytest.approx(3600, rel=0.1)


def test_several_nodes_without_a_link_are_refused() -> None:
    with pytest.raises(PretrainingError, match="--link"):
        forecast(RECIPE, CONFIG, Cluster(card_named("h100"), 64), BATCH, 64, 0.4)
