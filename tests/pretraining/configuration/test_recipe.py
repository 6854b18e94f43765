"""Recipes and the command line: what is misspelt is named, what comes along parses."""

from pathlib import Path
from typing import Any

import pytest

from pretraining.configuration.deepspeed import OWNED, check_deepspeed_table, communication, deepspeed_configuration
from pretraining.configuration.recipe import load_recipe, recipe_of, recipe_parser
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError

RECIPES = sorted((Path(__file__).parents[3] / "pretraining" / "recipes").glob("*.toml"))
MINIMAL = "[training]\nsteps = 10\nbatch_size = 8\nmicro_batch_size = 4\n"


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(MINIMAL)
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_that_come_along(path: Path) -> None:
    recipe = load_recipe(path)
    text = path.read_text()
    for word in ("deepspeed ", "Source:", "Expected:", "Hardware:"):
        assert word in text.split("[")[0], f"{path.name} opens without {word!r}"
    assert f"pretraining/recipes/{path.name}" in text
    check_deepspeed_table(recipe.deepspeed)
    recipe.model.build(30522)


def test_all_recipes_are_there() -> None:
    names = {path.stem for path in RECIPES}
    large = {"bert-large", "bert-large-phase1", "bert-large-phase2", "bert-large-24h"}
    assert names == {"demo-phase1", "demo-phase2", "bert-base", "adapt", "mini", *large}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("training.batchsize", "training.batch_size"),
        ("optimizer.learning_rat", "optimizer.learning_rate"),
        ("schedule.warmup_step", "schedule.warmup_steps"),
        ("modl.size", "model.size"),
        ("data.shard", "data.shards"),
        ("init.form", "init.from"),
    ],
)
def test_misspelt_key_names_the_nearest(recipe_file: Path, key: str, hint: str) -> None:
    option = f"did you mean --{hint.replace('_', '-')}"
    with pytest.raises(PretrainingError, match=f"--{key} is not an option .*{option}"):
        load_recipe(recipe_file, [(key, "1")])
    table, name = key.split(".")
    text = MINIMAL.replace("[training]", f"[training]\n{name} = 1") if table == "training" else MINIMAL
    recipe_file.write_text(text if table == "training" else f"{text}[{table}]\n{name} = 1\n")
    # A table that does not exist is named itself.
    with pytest.raises(
        PretrainingError, match=rf"recipe\.toml: unknown key '{table}.*did you mean {hint.split('.')[0]}"
    ):
        load_recipe(recipe_file)


def test_missing_key(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[training]\nsteps = 3\nbatch_size = 8\n")
    with pytest.raises(PretrainingError, match=r"training\.micro_batch_size is missing"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([("training.steps", "many")], "--training.steps many: input should be a valid integer"),
        ([("training.precision", "int8")], r"training\.precision"),
        ([("data.sequence_length", "1024")], "longer than the model's 512 positions"),
        ([("training.micro_batch_size", "16")], "larger than training.batch_size"),
        ([("data.weights", "1,0")], "above 0"),
        ([("data.weights", "1,inf")], "finite number"),
        ([("data.weights", "nan")], "finite number"),
        ([("data.weights", "1,10001")], "up to 10,000"),
        ([("deepspeed.zero_optimization", "2")], "zero_optimization is 2, not a table"),
        ([("training.steps.more", "1")], "--training.steps.more is not an option"),
        ([("schedule.kind", "time")], "needs seconds"),
    ],
)
def test_wrong_values(recipe_file: Path, overrides: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(PretrainingError, match=message):
        load_recipe(recipe_file, overrides)


def test_overrides(recipe_file: Path) -> None:
    arguments = [
        "--local_rank=1",
        "--config",
        str(recipe_file),
        "--data.shards=a,b",
        "--optimizer.learning_rate",
        "3e-4",
    ]
    arguments += ["--init.from=/some/run", "--deepspeed.zero_optimization.stage=3", "--data.weights=1,2.5"]
    recipe = recipe_of(recipe_parser("pretraining", "").parse_args(arguments))
    assert recipe.data.shards == ("a", "b")
    assert recipe.data.weights == (1.0, 2.5)
    assert recipe.optimizer.learning_rate == 3e-4
    assert recipe.init.from_ == "/some/run"
    assert recipe.stage == 3


def test_stage_1_is_the_default(recipe_file: Path) -> None:
    assert load_recipe(recipe_file).stage == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--training.steps"], "expected one argument"),
        (["steps=3"], "steps is not an option"),
        (["--step", "3"], "--steps"),
    ],
)
def test_command_line_that_is_not_understood(recipe_file: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(PretrainingError, match=message):
        recipe_parser("pretraining", "").parse_args(["--config", str(recipe_file), *arguments])


def test_no_such_recipe(tmp_path: Path) -> None:
    with pytest.raises(PretrainingError, match="no such file"):
        load_recipe(tmp_path / "none.toml")


def test_not_toml(tmp_path: Path) -> None:
    tmp_path.joinpath("r.toml").write_text("[training\n")
    with pytest.raises(PretrainingError, match="not TOML"):
        load_recipe(tmp_path / "r.toml")


@pytest.mark.parametrize("key", sorted(OWNED))
def test_keys_that_the_trainer_owns_are_refused(recipe_file: Path, key: str) -> None:
    with pytest.raises(PretrainingError, match="belongs to the trainer: set "):
        check_deepspeed_table(load_recipe(recipe_file, [(f"deepspeed.{key}", "1")]).deepspeed)


def test_misspelt_deepspeed_key(recipe_file: Path) -> None:
    """DeepSpeed itself ignores it."""
    with pytest.raises(PretrainingError, match=r"'zero_optimisation' is not a DeepSpeed setting.*'zero_optimization'"):
        check_deepspeed_table(load_recipe(recipe_file, [("deepspeed.zero_optimisation.stage", "2")]).deepspeed)


def test_no_such_stage(recipe_file: Path) -> None:
    with pytest.raises(PretrainingError, match="stages 0, 1, 2 and 3"):
        check_deepspeed_table(load_recipe(recipe_file, [("deepspeed.zero_optimization.stage", "4")]).deepspeed)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "reduce_bucket_sise",
            "5e8",
            r"reduce_bucket_sise is not a DeepSpeed setting: did you mean 'reduce_bucket_size'",
        ),
        ("reduce_bucket_size", "many", r"reduce_bucket_size: .* not 'many'"),
    ],
)
def test_zero_tables_that_deepspeed_would_refuse(recipe_file: Path, key: str, value: str, message: str) -> None:
    """Said before the ranks are joined, where DeepSpeed would end every rank with a traceback."""
    recipe = load_recipe(recipe_file, [(f"deepspeed.zero_optimization.{key}", value)])
    with pytest.raises(PretrainingError, match=message):
        check_deepspeed_table(recipe.deepspeed)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("hidden_size", "100", "hidden_size"), ("hidden_dropout_prob", "1.5", "model.hidden-dropout-prob 1.5: .*0.9")],
)
def test_models_that_cannot_be(recipe_file: Path, key: str, value: str, message: str) -> None:
    with pytest.raises(PretrainingError, match=message):
        load_recipe(recipe_file, [(f"model.{key}", value)]).model.build(100)


def configured(recipe: Recipe, *, on_cpu: bool = True, ranks: int = 2, sizes: tuple[int, ...] = ()) -> dict[str, Any]:
    if recipe.training.precision == "auto":
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"precision": "bf16"})})
    return deepspeed_configuration(recipe, ranks=ranks, micro_batches=1, on_cpu=on_cpu, sizes=sizes)


def test_an_open_precision_is_not_taken_for_one(recipe_file: Path) -> None:
    with pytest.raises(ValueError, match="not settled"):
        deepspeed_configuration(load_recipe(recipe_file), ranks=2, micro_batches=1, on_cpu=True)


SIZES = (30_000_000, *(2_000_000,) * 150)
"""Elements of the parameters of a model of 330 million."""


def zero_table(recipe_file: Path, stage: int, ranks: int = 2, *, on_cpu: bool = False, **more: str) -> dict[str, Any]:
    keys = [(f"deepspeed.zero_optimization.{name}", value) for name, value in {"stage": str(stage), **more}.items()]
    return configured(load_recipe(recipe_file, keys), on_cpu=on_cpu, ranks=ranks, sizes=SIZES)["zero_optimization"]


@pytest.mark.parametrize("stage", [1, 2])
def test_on_gpus_gradients_are_reduced_beside_the_backward_pass(recipe_file: Path, stage: int) -> None:
    assert zero_table(recipe_file, stage) == {
        "stage": stage,
        "overlap_comm": True,
        "reduce_bucket_size": 330_000_000 // 8,
    }


def test_one_rank_has_nobody_to_wait_for(recipe_file: Path) -> None:
    assert "overlap_comm" not in zero_table(recipe_file, 1, ranks=1)


@pytest.mark.parametrize("stage", [0, 3])
def test_other_stages_are_left_to_deepspeed(recipe_file: Path, stage: int) -> None:
    assert zero_table(recipe_file, stage) == {"stage": stage}


def test_on_the_cpu_nothing_is_set(recipe_file: Path) -> None:
    assert zero_table(recipe_file, 1, on_cpu=True) == {"stage": 1}


def test_what_the_recipe_says_of_communication_counts(recipe_file: Path) -> None:
    assert zero_table(recipe_file, 2, overlap_comm="false", reduce_bucket_size="1000") == {
        "stage": 2,
        "overlap_comm": False,
        "reduce_bucket_size": 1000,
    }
    assert "overlap_comm" not in zero_table(recipe_file, 1, **{"offload_optimizer.device": "cpu"})


@pytest.mark.parametrize(
    ("sizes", "bucket"),
    [((30_000_000, 10), 30_000_000), ((1000,) * 10, 1 << 20), ((2_000_000,) * 80, 20_000_000)],
)
def test_a_bucket_holds_the_largest_gradient_and_an_eighth_of_all(sizes: tuple[int, ...], bucket: int) -> None:
    assert communication({"stage": 1}, 2, sizes)["reduce_bucket_size"] == bucket


def test_configuration_given_to_deepspeed(recipe_file: Path) -> None:
    offload = [("deepspeed.zero_optimization.offload_optimizer.device", "cpu"), ("training.clip_norm", "0.5")]
    settings = configured(load_recipe(recipe_file, offload))
    assert settings["train_batch_size"] == 8
    assert settings["train_micro_batch_size_per_gpu"] == 4
    assert settings["gradient_clipping"] == 0.5
    assert settings["zero_optimization"] == {"stage": 1, "offload_optimizer": {"device": "cpu"}}
    assert settings["torch_autocast"] == {
        "enabled": True,
        "dtype": "bfloat16",
        "lower_precision_safe_modules": [],
    }


def test_half_precision_is_refused_on_the_cpu(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, [("training.precision", "fp16")])
    with pytest.raises(PretrainingError, match="needs a GPU"):
        configured(recipe)
    settings = configured(recipe, on_cpu=False)["fp16"]
    assert settings == {
        "enabled": True,
        "loss_scale": 0,
        "initial_scale_power": 16,
        "loss_scale_window": 1000,
        "hysteresis": 2,
    }


def test_half_precision_needs_a_stage(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, [("training.precision", "fp16"), ("deepspeed.zero_optimization.stage", "0")])
    with pytest.raises(PretrainingError, match="needs ZeRO stage 1"):
        configured(recipe, on_cpu=False)


def test_scaling_without_half_precision(recipe_file: Path) -> None:
    with pytest.raises(PretrainingError, match="only read with"):
        configured(load_recipe(recipe_file, [("deepspeed.fp16.initial_scale_power", "8")]))


@pytest.mark.parametrize(("text", "expected"), [("auto", "auto"), ("8", 8), ("1", 1)])
def test_a_micro_batch_is_a_number_or_auto(recipe_file: Path, text: str, expected: int | str) -> None:
    training = load_recipe(recipe_file, [("training.micro_batch_size", text)]).training
    assert training.micro_batch_size == expected
    assert training.least_micro_batch_size == (1 if expected == "auto" else expected)


@pytest.mark.parametrize("text", ["0", "-1", "many", "8.5", "Auto", "10000001"])
def test_no_other_micro_batch_is_taken(recipe_file: Path, text: str) -> None:
    with pytest.raises(PretrainingError, match=rf"--training\.micro-batch-size {text}: input should be .*, or auto"):
        load_recipe(recipe_file, [("training.micro_batch_size", text)])
