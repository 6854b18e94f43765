"""The planned figures in the documentation are those of the planner, row by row.

A row of such a table begins with a recipe and options of `pretraining.plan`, and names the cards; all behind that is
what the planner says. Where it says something else since, the test shows the row as it should be.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pretraining.configuration.recipe import load_recipe
from pretraining.planning.cards import card_named
from pretraining.planning.cost import Price
from pretraining.planning.forecast import Cluster
from pretraining.planning.plan import Plan, make_plan

REPOSITORY = Path(__file__).parents[2]
HEADS = {
    "| recipe and options | cards | sequences a micro-batch | steps | hours | GPU hours | of these not training |": 20,
    "| recipe and options | card | sequences a micro-batch | memory, GiB | tokens a second | steps a day "
    "| tokens a day |": 16,
}
"""The tables by their first line, and how many rows they have at least."""


def plan_of(options: str, cards: str) -> Plan:
    """``options``: the recipe's name and options, each in backticks; ``cards``: `64 × h100, ib400`, or one card."""
    name, *rest = re.findall(r"`([^`]+)`", options)
    overrides = [(key.removeprefix("--"), value) for key, value in (option.split(" ") for option in rest)]
    recipe = load_recipe(REPOSITORY / "pretraining" / "recipes" / f"{name}.toml", overrides)
    count, _, card = cards.rpartition(" × ")
    card, _, link = card.partition(", ")
    return make_plan(recipe, Cluster(card_named(card), int(count or 1), link=link or None), price=Price(1.0))


def of_cluster(options: str, cards: str) -> str:
    """A row of the table of recipes."""
    plan = plan_of(options, cards)
    forecast, cost = plan.forecast, plan.cost
    assert cost is not None
    steps = round(forecast.training_seconds / forecast.step_seconds)
    hours, whole = f"{forecast.hours:,.1f}", f"{cost.total_gpu_hours:,.0f}"
    besides = 1 - cost.gpu_hours["training"] / cost.total_gpu_hours
    return f"| {options} | {cards} | {plan.micro_batch_size} | {steps:,} | {hours} | {whole} | {besides:.1%} |"


def of_one_card(options: str, card: str) -> str:
    """A row of the table of single cards: what a day of training buys."""
    plan = plan_of(options, card)
    forecast = plan.forecast
    memory = plan.memory[1].total / 2**30
    steps = int(86_400 / forecast.step_seconds)
    tokens = steps * plan.batch.tokens / 1e9
    rate = f"{forecast.tokens_per_second:,.0f}"
    return f"| {options} | {card} | {plan.micro_batch_size} | {memory:.1f} | {rate} | {steps:,} | {tokens:.1f} · 10⁹ |"


def rows_below(head: str, page: str) -> list[str]:
    lines = page.split(head + "\n")[1].splitlines()[1:]
    return lines[: next((place for place, line in enumerate(lines) if not line.startswith("|")), len(lines))]


@pytest.mark.parametrize(
    ("page", "head", "row_of"),
    [
        ("results-and-cost.md", next(iter(HEADS)), of_cluster),
        ("one-gpu.md", list(HEADS)[1], of_one_card),
    ],
    ids=["recipes", "one card"],
)
def test_planned_figures_are_the_planners(page: str, head: str, row_of: Callable[[str, str], str]) -> None:
    rows = rows_below(head, (REPOSITORY / "docs" / page).read_text(encoding="utf-8"))
    assert len(rows) >= HEADS[head]
    for row in rows:
        options, cards = (cell.strip() for cell in row.split("|")[1:3])
        assert row == row_of(options, cards)


def test_the_example_of_a_cost_is_the_planners() -> None:
    page = (REPOSITORY / "docs" / "results-and-cost.md").read_text(encoding="utf-8")
    recipe = load_recipe(REPOSITORY / "pretraining" / "recipes" / "bert-large-phase1.toml")
    cost = make_plan(recipe, Cluster(card_named("h100"), 64, link="ib400"), price=Price(2.5, "EUR")).cost
    assert cost is not None
    said = dict(re.findall(r"^    ([a-z -]+?)  +([\d.]+  +[\d.]+ EUR)$", page, flags=re.MULTILINE))
    hours = {**cost.gpu_hours, "in all": cost.total_gpu_hours}
    shown = {part: [f"{value:,.1f}", cost.price.shown(value * 2.5)] for part, value in hours.items()}
    assert {part: re.split("  +", text) for part, text in said.items()} == shown
