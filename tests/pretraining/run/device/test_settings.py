"""What a recipe leaves to the device, settled for devices that are not here."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pretraining.configuration.recipe import load_recipe
from pretraining.configuration.tables import Recipe
from pretraining.devices.abilities import Abilities, gpu_abilities
from pretraining.errors import PretrainingError
from pretraining.run.device import settings
from pretraining.run.device.settings import planned_seconds, settle

RECIPES = Path(__file__).parents[4] / "pretraining" / "recipes"
V100, H100 = gpu_abilities("Tesla V100-SXM2-32GB", (7, 0)), gpu_abilities("NVIDIA H100 80GB HBM3", (9, 0))
P100 = gpu_abilities("Tesla P100", (6, 0))
CPU = Abilities("CPU", None, has_bfloat16=False)


@pytest.fixture(autouse=True)
def _with_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "find_spec", lambda name: SimpleNamespace())


def recipe(**changes: Any) -> Recipe:
    """Nothing said of the device: the shipped defaults."""
    training = {"steps": 1_000_000, "batch_size": 256, "micro_batch_size": 32, **changes.pop("training", {})}
    return Recipe.model_validate({"training": training, **changes})


def test_the_default_leaves_both_to_the_device() -> None:
    assert (recipe().training.precision, recipe().model.compile) == ("auto", "auto")


@pytest.mark.parametrize(
    ("device", "precision", "compiles"),
    [(H100, "bf16", "true"), (V100, "fp16", "true"), (P100, "fp16", "false"), (CPU, "fp32", "false")],
)
def test_a_long_run(device: Abilities, precision: str, compiles: str) -> None:
    settled = settle(recipe(), device, ranks=8)
    assert (settled.recipe.training.precision, settled.recipe.model.compile) == (precision, compiles)
    assert len(settled.sentences) == 2
    assert settled.sentences[1].startswith(f"model.compile is {'on' if compiles == 'true' else 'off'}: ")
    assert not settled.is_compiling_asked_for


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"training": {"steps": 100}}, "hardly win back"),
        ({"training": {"stop_at": 100}}, "hardly win back"),
        ({"schedule": {"kind": "time", "seconds": 600.0}}, "about 600 s"),
        ({"deepspeed": {"zero_optimization": {"stage": 3}}}, "stage 3"),
        ({"training": {"deterministic": True}}, "training.deterministic"),
    ],
)
def test_where_compiling_does_not_win(changes: dict[str, Any], reason: str) -> None:
    settled = settle(recipe(**changes), H100, ranks=8)
    assert settled.recipe.model.compile == "false"
    assert reason in settled.sentences[1]


def test_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    settled = settle(recipe(), H100, ranks=8)
    assert settled.recipe.model.compile == "false"
    assert "triton" in settled.sentences[1]


@pytest.mark.parametrize("says", [True, False, "true", "false"])
def test_a_recipe_that_says_so_is_obeyed(says: bool | str) -> None:
    settled = settle(recipe(model={"compile": says}, training={"precision": "fp32"}), CPU, ranks=1)
    assert settled.recipe.model.compile == str(says).lower()
    assert settled.is_compiling_asked_for == (str(says).lower() == "true")
    assert settled.sentences == ()


def test_a_gpu_without_bfloat16_is_found_out_before_the_ranks_meet() -> None:
    with pytest.raises(PretrainingError, match="has no bfloat16"):
        settle(recipe(training={"precision": "bf16"}), V100, ranks=8)


def test_bfloat16_on_an_old_cpu_is_remarked() -> None:
    settled = settle(recipe(training={"precision": "bf16"}), CPU, ranks=1)
    assert settled.recipe.training.precision == "bf16"
    assert "emulated" in settled.sentences[0]


def test_more_ranks_and_fewer_steps_take_less_time() -> None:
    whole = planned_seconds(recipe(training={"precision": "bf16"}), H100, 1)
    assert planned_seconds(recipe(training={"precision": "bf16"}), H100, 8) == pytest.approx(whole / 8)
    fewer = recipe(training={"precision": "bf16", "steps": 100_000})
    assert planned_seconds(fewer, H100, 1) == pytest.approx(whole / 10)


def test_the_shipped_recipes_compile_on_eight_gpus() -> None:
    for name in ("bert-base", "bert-large", "bert-large-phase1", "bert-large-phase2", "bert-large-24h"):
        settled = settle(load_recipe(RECIPES / f"{name}.toml"), H100, 8)
        assert settled.recipe.model.compile == "true", name
        assert settled.recipe.training.precision == "bf16"
