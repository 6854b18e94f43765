"""Recipes that no run could follow: each ends with exit code 2 and one line that names the key."""

import signal
import sys
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from pretraining.main import main

HUGE = "1" + 20 * "0"
GOOD = {
    "model": {
        "size": '"tiny"',
        "hidden_size": "32",
        "intermediate_size": "64",
        "max_position_embeddings": "32",
    },
    "data": {"sequence_length": "32"},
    "training": {"steps": "8", "batch_size": "16", "micro_batch_size": "8", "precision": '"fp32"'},
}
WHOLE_NUMBERS = (
    *("model.vocab_size", "model.hidden_size", "model.num_hidden_layers", "model.num_attention_heads"),
    *("model.intermediate_size", "model.max_position_embeddings", "data.sequence_length", "data.seed", "data.prefetch"),
    *("training.steps", "training.batch_size", "training.micro_batch_size", "training.stop_at", "training.seed"),
    *("training.threads", "schedule.warmup_steps", "evaluation.every", "evaluation.examples", "checkpoint.every"),
    *("checkpoint.keep", "output.log_every"),
)
NUMBERS = (
    *("model.hidden_dropout_prob", "model.attention_probs_dropout_prob", "model.initializer_range", "data.weights"),
    *("training.clip_norm", "optimizer.learning_rate", "optimizer.beta1", "optimizer.beta2", "optimizer.epsilon"),
    *("optimizer.weight_decay", "schedule.power", "schedule.decay_share", "schedule.final_share", "schedule.seconds"),
    "output.peak_tflops",
)
SWITCHES = ("optimizer.bias_correction", "evaluation.at_start", "model.compile", "checkpoint.resume")

BAD = [
    *((key, value) for key in WHOLE_NUMBERS for value in (HUGE, "-1", "true", "8.5", '""')),
    *((key, value) for key in NUMBERS for value in ("inf", "nan", "-1.0", "true", '"much"')),
    *((key, value) for key in SWITCHES for value in ("2", '"perhaps"', "[]")),
    # Zero, where it means nothing.
    *(("model." + key, "0") for key in ("vocab_size", "hidden_size", "num_hidden_layers", "initializer_range")),
    *(("training." + key, "0") for key in ("steps", "batch_size", "micro_batch_size", "stop_at", "threads")),
    *(("optimizer." + key, "0.0") for key in ("learning_rate", "epsilon")),
    *(("schedule." + key, "0.0") for key in ("power", "decay_share", "seconds")),
    *(("data.prefetch", "0"), ("checkpoint.keep", "0"), ("output.log_every", "0"), ("output.peak_tflops", "0.0")),
    # Just beyond what can be.
    ("model.hidden_dropout_prob", "0.999999"),
    ("model.attention_probs_dropout_prob", "0.91"),
    ("model.initializer_range", "1e-300"),
    ("model.num_attention_heads", "3"),
    ("model.vocab_size", "50"),  # the shards' has 65
    ("data.sequence_length", "7"),
    ("data.sequence_length", "33"),
    ("training.batch_size", "7"),
    ("training.stop_at", "9"),
    ("training.seed", 23 * "9"),
    ("data.seed", "4294967296"),
    ("optimizer.learning_rate", "1e-300"),
    ("optimizer.learning_rate", "3.0"),
    ("optimizer.weight_decay", "10.0"),
    ("optimizer.epsilon", "1e-300"),
    ("optimizer.beta2", "1.0"),
    ("schedule.warmup_steps", "8"),
    ("schedule.warmup_steps", "9"),
    ("schedule.final_share", "1.5"),
    # Another kind of value than belongs there.
    ("training.steps", "[8]"),
    ("training.steps", '"many"'),
    ("training.steps", "2026-01-01"),
    ("training.steps", "{ first = 8 }"),
    ("training.precision", '"bf 16"'),
    ("training.precision", '""'),
    ("training.precision", "16"),
    ("optimizer.learning_rate", "[1e-3, 1e-4]"),
    ("optimizer.name", '"sgd"'),
    ("model.size", '"huge"'),
    ("model.size", "3"),
    ("data.masking", "false"),
    ("data.weights", "[1.0, 0.0]"),
    ("data.weights", "[true]"),
    ("data.weights", "[1.0, 1.0]"),  # of one folder
    ("data.shards", "3"),
    ("data.shards", "[]"),
    ("data.shards", '["a", ""]'),
    ("data.shards", "true"),
    ("output.folder", '""'),
    ("output.folder", '"  "'),
    ("output.folder", '"a\\u0000b"'),
    ("output.folder", "3"),
    ("init.from", '""'),
    ("init.from", "[]"),
    # What contradicts itself.
    ("schedule.power", "2.0"),
    ("schedule.decay_share", "0.5"),
    ("schedule.seconds", "60.0"),
    ("schedule.kind", '"time"'),
    ("schedule.kind", '"cosine"'),
    # What DeepSpeed would take, or end with a traceback over.
    ("deepspeed.zero_optimization.stage", "true"),
    ("deepspeed.zero_optimization.stage", "1.0"),
    ("deepspeed.zero_optimization.stage", "4"),
    ("deepspeed.zero_optimization.stage", '"1"'),
    ("deepspeed.zero_optimization", "2"),
    ("deepspeed.zero_optimization.reduce_bucket_size", "inf"),
    ("deepspeed.zero_optimization.reduce_bucket_size", HUGE),
    ("deepspeed.gradient_predivide_factor", "nan"),
    ("deepspeed.train_batch_size", "16"),
    # Keys that are none.
    ("training.step", "8"),
    ("trainin.steps", "8"),
]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("bad") / "shards")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def written(path: Path, shards: Path, key: str = "", value: str = "") -> Path:
    """The good recipe with one key set, as TOML."""
    tables = {name: dict(keys) for name, keys in GOOD.items()}
    tables["data"]["shards"] = f'["{shards}"]'
    if key:
        table, _, name = key.rpartition(".")
        tables.setdefault(table, {})[name] = value
    text = "".join(
        f"[{table}]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())
        for table, keys in tables.items()
    )
    path.write_text(text, encoding="utf-8")
    return path


def refused(recipe: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says about it."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    try:
        code = main(["--config", str(recipe), *arguments])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    said = capsys.readouterr().err.strip()
    assert code == 2, said
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1, said
    assert len(said) < 600, said
    return said


@pytest.mark.parametrize(("key", "value"), BAD, ids=[f"{key}={value[:30]}" for key, value in BAD])
def test_a_bad_recipe_is_refused_before_the_ranks_are_joined(
    shards: Path, tmp_path: Path, key: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(written(tmp_path / "recipe.toml", shards, key, value), capsys)
    table, _, name = key.rpartition(".")
    if table == "trainin":  # a table that is none is named itself
        name = "training"
    assert name in said or (name == "kind" and "seconds" in said)
    assert table.split(".")[0] in said
    distributed = sys.modules.get("torch.distributed")
    assert distributed is None or not distributed.is_initialized()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("steps = 9\n", "steps = 9"),
        ("[training]\n", "[training]"),
        ("precision\n", "precision"),
        ("seed = 01\n", "seed = 01"),
        (f"seed = {5000 * '9'}\n", "5000 digits"),
        (f"seed = {3000 * '['}\n", "recursion"),
    ],
)
def test_what_is_not_toml_is_named_by_its_line(
    shards: Path, tmp_path: Path, more: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also keys and tables that are there twice."""
    recipe = written(tmp_path / "recipe.toml", shards)
    recipe.write_text(recipe.read_text() + more)
    assert named in refused(recipe, capsys)


@pytest.mark.parametrize("spelling", ["{0}", "{0}/", "{0}/../shards", "link", "copy"])
def test_the_same_shards_twice(shards: Path, tmp_path: Path, spelling: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = spelling.format(shards)
    if other == "link":
        (tmp_path / other).symlink_to(shards)
    if other == "copy":
        (tmp_path / other).mkdir()
        for file in ("manifest.json", "manifest", "tokenizer"):
            (tmp_path / other / file).symlink_to(shards / file)
    recipe = written(tmp_path / "recipe.toml", shards, "data.shards", f'["{shards}", "{other}"]')
    said = refused(recipe, capsys)
    assert "data.shards" in said
    assert "data.weights" in said


@pytest.mark.parametrize(
    "settings",
    [
        {"data.seed": "4294967295", "training.seed": "4294967295"},
        {"training.stop_at": "8", "schedule.warmup_steps": "7"},
        {"model.hidden_dropout_prob": "0.9", "model.attention_probs_dropout_prob": "0"},
        {"schedule.kind": "warmup-stable-decay", "schedule.decay_share": "1"},
        {"training.clip_norm": "0", "optimizer.weight_decay": "0", "evaluation.examples": "0"},
    ],
)
def test_bounds_themselves_are_allowed(shards: Path, tmp_path: Path, settings: dict[str, str]) -> None:
    from pretraining.configuration.recipe import load_recipe

    load_recipe(written(tmp_path / "recipe.toml", shards), list(settings.items()))
