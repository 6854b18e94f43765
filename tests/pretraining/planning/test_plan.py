"""Plans of whole recipes."""

from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from pretraining.configuration.recipe import load_recipe
from pretraining.errors import PretrainingError
from pretraining.planning.cards import card_named
from pretraining.planning.forecast import Cluster
from pretraining.planning.plan import make_plan, plans_by_ranks, work_of_shards

RECIPES = Path(__file__).parents[3] / "pretraining" / "recipes"
LARGE = load_recipe(RECIPES / "bert-large-phase1.toml")
H100 = card_named("h100")


def test_plan_of_the_large_recipe() -> None:
    plan = make_plan(LARGE, Cluster(H100, 64, link="ib400"), mfu=0.4)
    assert plan.micro_batches * plan.micro_batch_size * 64 == 65_536
    # 6 FLOPs per parameter and token, less the embeddings' share, plus attention.
    rough = 6 * 303e6 * plan.batch.tokens * 7038
    assert plan.flops == pytest.approx(rough, rel=0.1)
    compute = plan.flops / (64 * 989.4e12 * 0.4)
    assert plan.forecast.compute_seconds * 7038 == pytest.approx(compute)
    assert compute / 3600 < plan.forecast.hours < 1.15 * compute / 3600


@pytest.mark.parametrize(("card", "mfu"), [("a100", 0.1), ("a100", None), ("h100", None), ("b200", 0.4)])
def test_time_bounds_the_hours(card: str, mfu: float | None) -> None:
    recipe = load_recipe(RECIPES / "bert-large-24h.toml")
    forecast = make_plan(recipe, Cluster(card_named(card), 8), mfu=mfu).forecast
    assert forecast.training_seconds == pytest.approx(86_400, rel=0.001)
    assert forecast.hours == pytest.approx(
        (86_400 + forecast.checkpoints * forecast.checkpoint_seconds) / 3600, rel=0.01
    )


def test_a_recipes_own_micro_batch_stays() -> None:
    recipe = load_recipe(RECIPES / "demo-phase1.toml", [("training.precision", "bf16")])
    plan = make_plan(recipe, Cluster(H100, 2))
    assert (plan.micro_batch_size, plan.micro_batches) == (8, 1)
    assert plan.micro_batch_reason == "as the recipe says"


def test_counts_that_do_not_divide_are_left_out() -> None:
    plans = plans_by_ranks(LARGE, Cluster(H100, 8, link="ib400"), (1, 3, 8, 65_537))
    assert [plan.ranks for plan in plans] == [1, 8]


def test_the_shards_say_what_a_batch_holds(tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "shards", lengths=(128,), rows=50)
    recipe = load_recipe(RECIPES / "demo-phase1.toml", [("data.shards", str(shards))])
    work, count = work_of_shards(recipe)
    assert count == 2
    assert work is not None
    assert work.sequences == 1000
    assert 8_000 < work.tokens <= 128_000
    assert work_of_shards(LARGE) == (None, None)
    gone = load_recipe(RECIPES / "demo-phase1.toml", [("data.shards", str(tmp_path / "gone"))])
    with pytest.raises(PretrainingError, match="no such folder"):
        work_of_shards(gone)
