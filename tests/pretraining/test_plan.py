"""The planner's command: its figures for whole recipes, and what it refuses."""

import json
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from pretraining.configuration.recipe import load_recipe
from pretraining.errors import PretrainingError
from pretraining.model.config import BertConfig
from pretraining.plan import main, make_plan
from pretraining.planning.memory import parameter_count

RECIPES = Path(__file__).parents[2] / "pretraining" / "recipes"


def test_plan_of_the_large_recipe() -> None:
    plan = make_plan(load_recipe(RECIPES / "bert-large-phase1.toml"), 64, "h100", 0.4)
    assert plan.micro_batches == 16
    # 6 FLOPs per parameter and token, less the embeddings' share, plus attention.
    rough = 6 * 303e6 * plan.batch.tokens * 7038
    assert plan.flops == pytest.approx(rough, rel=0.1)
    assert plan.hours == pytest.approx(plan.flops / (64 * 989.4e12 * 0.4) / 3600)


def test_time_bounds_the_hours() -> None:
    assert make_plan(load_recipe(RECIPES / "bert-large-24h.toml"), 8, "a100", 0.1).hours == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpus", "64", "--gpu", "abacus"], "known: v100, a100, h100, h200, b200"),
        (["--gpus", "60"], "does not divide among 60 ranks"),
        (["--gpus", "64", "--gpu", "v100"], "no bfloat16"),
        (["--gpus", "64", "--mfu", "1.5"], "share above 0"),
        (["--gpus", "64", "--data.shards", "nowhere"], "no such folder"),
    ],
)
def test_plans_that_cannot_be(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--config", str(RECIPES / "bert-large-phase1.toml"), *arguments])
    assert code == 2
    assert message in capsys.readouterr().err


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = write_shards(tmp_path / "shards", lengths=(128,), rows=50)
    recipe = RECIPES / "demo-phase1.toml"
    arguments = ["--config", str(recipe), "--gpus", "2", "--data.shards", str(shards)]
    assert main([*arguments, "--json", "--training.precision=bf16"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["parameters"] == parameter_count(BertConfig.named(load_recipe(recipe).model.size))
    assert main([*arguments, "--training.precision=bf16"]) == 0
    assert "GiB a rank" in capsys.readouterr().out


def test_unknown_gpu_in_python() -> None:
    with pytest.raises(PretrainingError, match="known"):
        make_plan(load_recipe(RECIPES / "bert-base.toml"), 1, "tpu", 0.4)
