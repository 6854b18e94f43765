"""Costs add up to the plan's own hours, and are shown with the currency that was given."""

import math
from pathlib import Path

import pytest

from pretraining.configuration.recipe import load_recipe
from pretraining.errors import PretrainingError
from pretraining.planning.cards import card_named
from pretraining.planning.cost import Price, cost_of
from pretraining.planning.forecast import Cluster
from pretraining.planning.plan import make_plan

RECIPES = Path(__file__).parents[3] / "pretraining" / "recipes"


@pytest.mark.parametrize("name", ["bert-large-phase1", "bert-large-24h", "bert-base"])
def test_the_parts_are_all_of_the_hours(name: str) -> None:
    recipe = load_recipe(RECIPES / f"{name}.toml")
    plan = make_plan(recipe, Cluster(card_named("a100"), 16, link="ib200"), price=Price(2.5))
    assert plan.cost is not None
    assert plan.cost.total_gpu_hours == pytest.approx(plan.forecast.hours * 16)
    assert plan.cost.total == pytest.approx(plan.forecast.hours * 16 * 2.5)


def test_each_part_is_what_the_forecast_says() -> None:
    recipe = load_recipe(RECIPES / "bert-large-phase2.toml")
    forecast = make_plan(recipe, Cluster(card_named("h100"), 8)).forecast
    hours = cost_of(forecast, 8, Price(1.0)).gpu_hours
    assert list(hours) == ["training", "checkpoints", "evaluation", "start-up"]
    assert hours["training"] == pytest.approx(1_563 * forecast.step_seconds / 450)
    assert hours["checkpoints"] == pytest.approx(16 * forecast.checkpoint_seconds / 450)
    assert hours["evaluation"] == pytest.approx(forecast.evaluation_seconds / 450)
    assert hours["start-up"] == pytest.approx(forecast.startup_seconds / 450)


def test_no_price_is_built_in() -> None:
    assert make_plan(load_recipe(RECIPES / "bert-base.toml"), Cluster(card_named("h100"), 8)).cost is None


def test_the_json_has_amounts_and_their_currency() -> None:
    recipe = load_recipe(RECIPES / "bert-base.toml")
    cost = make_plan(recipe, Cluster(card_named("h100"), 1), price=Price(3.0, "EUR")).cost
    assert cost is not None
    plain = cost.to_json()
    assert (plain["price_per_gpu_hour"], plain["currency"]) == (3.0, "EUR")
    assert plain["parts"]["training"] == pytest.approx(3 * plain["gpu_hours"]["training"])
    assert plain["total"] == pytest.approx(sum(plain["parts"].values()))


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(0.0, None, "0.00"), (99.5, "EUR", "99.50 EUR"), (100.4, None, "100"), (12_345.6, "USD", "12,346 USD")],
)
def test_amounts_as_people_read_them(amount: float, currency: str | None, shown: str) -> None:
    assert Price(1.0, currency).shown(amount) == shown


@pytest.mark.parametrize("amount", [-0.01, math.nan, math.inf])
def test_what_is_no_price(amount: float) -> None:
    with pytest.raises(PretrainingError, match="give a price from 0 on"):
        Price(amount)


@pytest.mark.parametrize("name", ["", " ", "EUR ", "E\nR", "a currency of many words"])
def test_what_is_no_currency(name: str) -> None:
    with pytest.raises(PretrainingError, match="give a short name such as EUR or USD"):
        Price(1.0, name)
