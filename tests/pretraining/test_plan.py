"""The planner's command: its figures for whole recipes, and what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from pretraining.configuration.recipe import load_recipe
from pretraining.model.config import BertConfig
from pretraining.plan import main
from pretraining.planning.memory import parameter_count

RECIPES = Path(__file__).parents[2] / "pretraining" / "recipes"
LARGE = str(RECIPES / "bert-large-phase1.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpus", "64", "--gpu", "abacus"], "no datasheet figures for 'abacus'"),
        (["--gpus", "60", "--link", "ib400"], "does not divide among 60 ranks"),
        (["--gpus", "8", "--gpu", "v100"], "has no bfloat16, which begins at 8.0"),
        (["--gpus", "8", "--gpu", "t4"], "has no bfloat16, which begins at 8.0"),
        (["--gpus", "8", "--mfu", "1.5"], "share above 0"),
        (["--gpus", "8", "--mfu", "0"], "share above 0"),
        (["--gpus", "0"], "at least one GPU"),
        (["--gpus", "64"], "--link None: 64 GPUs are on several nodes of 8"),
        (["--gpus", "64", "--link", "string"], "--link string: no such link is known; choose ib400"),
        (["--gpus", "8", "--link", "string"], "no such link is known"),
        (["--gpus", "8", "--price-per-gpu-hour", "-1"], "give a price from 0 on"),
        (["--gpus", "8", "--price-per-gpu-hour", "nan"], "give a price from 0 on"),
        (["--gpus", "8", "--price-per-gpu-hour", "inf"], "give a price from 0 on"),
        (["--gpus", "8", "--currency", "EUR"], "--currency EUR: there is no price; add --price-per-gpu-hour"),
        (["--gpus", "8", "--price-per-gpu-hour", "1", "--currency", ""], "give a short name"),
        (["--gpus", "8", "--disk-mb-per-second", "0"], "a rate above 0"),
        (["--gpus", "8", "--gpu", "t4", "--training.precision=fp16", "--model.max_position_embeddings=9"], "positions"),
        (["--gpus", "8", "--data.shards", "nowhere"], "no such folder"),
        (["--gpus", "8", "--gpus-per-node", "0"], "--gpus-per-node 0"),
        (
            ["--gpus", "8", "--gpu", "a100", "--training.linear_layers=fp8"],
            "not a100-sxm-80gb (compute capability 8.0)",
        ),
        (["--gpus", "8", "--training.precision=fp16", "--deepspeed.zero_optimization.stage=0"], "needs ZeRO stage 1"),
        (
            [
                *("--gpus", "8", "--deepspeed.zero_optimization.offload_optimizer.device=cpu"),
                "--deepspeed.zero_optimization.offload_optimizer.ratio=0.5",
            ],
            "zero_optimization: Partial offloading only supported for ZeRO Stage 3\n",
        ),
    ],
)
def test_plans_that_cannot_be(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", LARGE, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_json_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = write_shards(tmp_path / "shards", lengths=(128,), rows=50)
    recipe = RECIPES / "demo-phase1.toml"
    arguments = ["--config", str(recipe), "--gpus", "2", "--data.shards", str(shards), "--price-per-gpu-hour", "2"]
    assert main([*arguments, "--json", "--training.precision=bf16"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["parameters"] == parameter_count(BertConfig.named(load_recipe(recipe).model.size))
    assert plan["cost"]["total"] == pytest.approx(plan["gpu_hours"] * 2)
    assert plan["cost"]["currency"] is None
    assert plan["gpu_hours"] == pytest.approx(plan["hours"] * 2)
    assert plan["memory"]["1"]["total"] <= plan["usable_bytes"]
    assert plan["card"]["name"] == "h100-sxm"
    assert set(plan["forecast"]["basis"]) >= {"compute", "communication", "data", "checkpoint", "start-up"}


@pytest.mark.parametrize(
    ("settings", "stage"),
    [
        (("stage=3", "offload_optimizer.device=cpu", "offload_optimizer.ratio=0.5"), "3"),
        (("stage=2", "compute_grad_norm=false"), "2"),
    ],
)
def test_what_goes_with_one_stage_alone_is_planned_beside_the_others(
    settings: tuple[str, ...], stage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    zero = [f"--deepspeed.zero_optimization.{setting}" for setting in settings]
    assert main(["--config", LARGE, "--gpus", "8", "--json", *zero]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert sorted(plan["memory"]) == ["0", "1", "2", "3"]
    assert plan["memory"][stage]["total"] <= plan["usable_bytes"]


def test_json_alone_is_on_the_output() -> None:
    """In a process of its own, in which DeepSpeed is imported for the first time and has something to say."""
    command = [sys.executable, "-m", "pretraining.plan", "--config", LARGE, "--gpus", "8", "--json"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(ran.stdout)["ranks"] == 8


def test_page_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    price = ["--price-per-gpu-hour", "2.5", "--currency", "EUR"]
    assert main(["--config", LARGE, "--gpus", "64", "--link", "ib400", *price]) == 0
    page = capsys.readouterr().out
    for words in ("GiB a rank", "h100-sxm", "auto: plan", "communication", "measured on one core", "efficiency"):
        assert words in page
    assert "2.50 EUR a GPU hour" in page
    for part in ("training", "checkpoints", "start-up", "in all"):
        assert re.search(rf"{part} +│ +[\d,.]+ +│ [\d,.]+ EUR", page), part
    costs = re.findall(r"% +│([\d,.]+) *│\n", page)  # the last column of the table of other numbers of GPUs
    assert "┃cost,┃" in page
    assert len(costs) == 9


def test_without_a_price_a_page_says_nothing_of_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", LARGE, "--gpus", "8"]) == 0
    assert "cost" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["bert-large", "bert-large-phase1", "bert-large-phase2", "bert-base", "bert-large-24h"]
)
def test_shipped_recipes_fit_common_cards(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for gpu in ("h100-pcie", "a100-pcie-40gb", "l4", "v100-sxm2-16gb", "rtx-4090"):
        precision = "fp16" if gpu.startswith("v100") else "bf16"
        arguments = ["--config", str(RECIPES / f"{name}.toml"), "--gpus", "8", "--gpu", gpu, "--json"]
        assert main([*arguments, f"--training.precision={precision}"]) == 0, capsys.readouterr().err
        plan = json.loads(capsys.readouterr().out)
        assert plan["memory"]["1"]["total"] <= plan["usable_bytes"]
