"""The page: every part has its basis, and what fits is said by what tensors may take."""

from dataclasses import replace
from pathlib import Path

import pytest

from pretraining.configuration.recipe import load_recipe
from pretraining.planning.cards import card_named
from pretraining.planning.cost import Price
from pretraining.planning.forecast import Cluster
from pretraining.planning.page import show
from pretraining.planning.plan import make_plan

RECIPE = load_recipe(Path(__file__).parents[3] / "pretraining" / "recipes" / "bert-large-phase2.toml")


def test_every_part_is_shown_with_its_basis(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    plan = make_plan(RECIPE, Cluster(card_named("h200"), 8))
    show(plan, RECIPE, [])
    page = capsys.readouterr().out
    for part, basis in plan.forecast.basis.items():
        assert part in page
        assert basis in page
    assert page.count("yes") == 4
    assert "efficiency" not in page
    show(replace(plan, usable_bytes=0), RECIPE, [plan])
    page = capsys.readouterr().out
    assert "yes" not in page
    assert "efficiency" in page
    assert "100%" in page


def test_no_heading_is_cut_off_on_a_terminal_of_eighty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    price = Price(2.5, "EUR")
    plans = [make_plan(RECIPE, Cluster(card_named("h100"), ranks, link="ib400"), price=price) for ranks in (64, 1_024)]
    show(plans[0], RECIPE, plans)
    assert "…" not in capsys.readouterr().out
