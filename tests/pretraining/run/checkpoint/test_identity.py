"""What may differ between a checkpoint and the run that goes on from it."""

from pathlib import Path
from typing import Any

import pytest

from pretraining.configuration.recipe import load_recipe
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.run.checkpoint.identity import Identity, accepted_changes, identity_of

WHERE = Path("step7")


def identity(recipe: Recipe, shards: str = "abc", ranks: int = 2) -> Identity:
    return identity_of(recipe, recipe.model.build(64), shards, "p", ranks, 1)


def recipe(tmp_path: Path, **settings: Any) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text('[model]\nsize = "tiny"\n[training]\nsteps = 9\nbatch_size = 8\nmicro_batch_size = 4\n')
    return load_recipe(path, [(key.replace("__", "."), str(value)) for key, value in settings.items()])


FREE: dict[str, Any] = {
    "output__folder": "elsewhere",
    "output__log_every": 3,
    "output__peak_tflops": 1.0,
    "evaluation__every": 5,
    "checkpoint__every": 5,
    "health__watchdog_seconds": 9,
    "data__prefetch": 7,
    "data__shards": "moved",
    "training__micro_batch_size": 2,
    "training__stop_at": 4,
    "training__threads": 3,
    "training__deterministic": "true",
    "model__activation_checkpointing": "true",
    "model__compile": "true",
    "deepspeed__zero_optimization__stage": 3,
    "deepspeed__wall_clock_breakdown": "true",
}


@pytest.mark.parametrize("key", FREE)
def test_what_changes_no_weight_may_differ(tmp_path: Path, key: str) -> None:
    assert accepted_changes(WHERE, identity(recipe(tmp_path)), identity(recipe(tmp_path, **{key: FREE[key]})), ()) == {}


GUARDED: dict[str, Any] = {
    "training__steps": 10,
    "training__batch_size": 16,
    "training__precision": "fp32",
    "training__linear_layers": "fp8",
    "training__clip_norm": 0.5,
    "training__seed": 2,
    "data__seed": 2,
    "data__masking": "dynamic",
    "data__weights": "2",
    "data__sequence_length": 64,
    "optimizer__name": "lamb",
    "optimizer__learning_rate": 1e-3,
    "optimizer__beta1": 0.8,
    "optimizer__weight_decay": 0.1,
    "optimizer__bias_correction": "false",
    "schedule__warmup_steps": 2,
    "schedule__kind": "constant",
    "init__from": "somewhere",
    "init__new_heads": "true",
    "init__scheme": "neighbours",
    "model__hidden_dropout_prob": 0.2,
    "model__attention_probs_dropout_prob": 0.0,
    "deepspeed__communication_data_type": "fp16",
}


@pytest.mark.parametrize("key", GUARDED)
def test_what_changes_weights_must_be_named(tmp_path: Path, key: str) -> None:
    before, now = identity(recipe(tmp_path)), identity(recipe(tmp_path, **{key: GUARDED[key]}))
    name = key.replace("__", ".")
    with pytest.raises(PretrainingError, match=rf"settings \({name} .* there, .* here\).*--checkpoint.allow={name}"):
        accepted_changes(WHERE, before, now, ("optimizer.epsilon",))
    assert list(accepted_changes(WHERE, before, now, (name,))) == [name]
    assert list(accepted_changes(WHERE, before, now, (name.split(".")[0],))) == [name]


def test_every_key_of_a_recipe_is_thought_of(tmp_path: Path) -> None:
    """A new key is guarded until somebody says that it changes no weight."""
    keys = set(identity(recipe(tmp_path)).settings)
    guarded = {key.replace("__", ".") for key in GUARDED if not key.startswith(("model__", "deepspeed__"))}
    others = {
        *("optimizer.beta2", "optimizer.epsilon", "init.moments"),
        *(f"schedule.{name}" for name in ("power", "decay_share", "final_share", "seconds", "continuous")),
    }
    assert keys == guarded | others


def test_other_shards_and_another_model(tmp_path: Path) -> None:
    before = identity(recipe(tmp_path))
    with pytest.raises(PretrainingError, match=r"other settings \(data.shards\).*allow=data.shards"):
        accepted_changes(WHERE, before, identity(recipe(tmp_path), shards="xyz"), ())
    assert "data.shards" in accepted_changes(WHERE, before, identity(recipe(tmp_path), shards="xyz"), ("data.shards",))
    other = identity(recipe(tmp_path, model__hidden_size=64))
    with pytest.raises(PretrainingError, match=r"another model \(hidden_size 128 there, 64 here\)"):
        accepted_changes(WHERE, before, other, ("model", "model.hidden_size"))


def test_a_precision_that_another_machine_chose_can_be_kept(tmp_path: Path) -> None:
    before, now = (identity(recipe(tmp_path, training__precision=name)) for name in ("bf16", "fp32"))
    with pytest.raises(PretrainingError, match=r'bf16 there, fp32 here\).*what this machine has: say "bf16"\)'):
        accepted_changes(WHERE, before, now, ())


def test_any_number_of_ranks_fits(tmp_path: Path) -> None:
    assert accepted_changes(WHERE, identity(recipe(tmp_path)), identity(recipe(tmp_path), ranks=64), ()) == {}
