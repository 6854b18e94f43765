"""The first 20 steps of every pretraining recipe, pinned.

Each recipe is run by its command, on one CPU, with all its settings but those that size forces: the model's shape, the
batch (two micro-batches remain), and the steps, with the same share of them for warm-up; a precision of auto is fp32.
Pinned are the losses, learning rate, gradient norm and tokens of every step, the held-out losses before and after, and
the norms of the final weights.

Tolerances are for other processors, whose sums end in other digits: they hold on one with AVX-512 that is held to AVX2
(`ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`).
"""

import json
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RECIPES = sorted((Path(__file__).resolve().parents[2] / "pretraining" / "recipes").glob("*.toml"))
STEPS = 20
TOLERANCES = {
    "fp32": {
        **dict.fromkeys(("loss", "mlm_loss", "nsp_loss", "gradient_norm"), 1e-4),
        **{"learning_rate": 1e-9, "matrices": 1e-6, "vectors": 1e-5},
    },
    "bf16": {
        **dict.fromkeys(("loss", "mlm_loss"), 1e-4),
        **{"nsp_loss": 5e-4, "gradient_norm": 1e-3, "learning_rate": 1e-9, "matrices": 1e-4, "vectors": 1e-3},
    },
}
STEP = ("step", "loss", "mlm_loss", "nsp_loss", "learning_rate", "gradient_norm", "tokens")
HELD_OUT = ("event", "step", "source", "loss", "mlm_loss", "nsp_loss", "masked_tokens", "sequences")
COMMON = {
    "training.steps": STEPS,
    "training.threads": 1,
    "output.log_every": 1,
    # Unset, the trainer measures it, which takes time.
    "output.peak_tflops": 1.0,
    "training.batch_size": 8,
    "training.micro_batch_size": 4,
}
SMALL = {
    "model.num_hidden_layers": 2,
    "model.hidden_size": 32,
    "model.num_attention_heads": 2,
    "model.intermediate_size": 64,
}


@pytest.fixture(scope="module")
def shards(corpus, commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus as examples of 128 and of 512 tokens."""
    folder = tmp_path_factory.mktemp("golden") / "shards"
    commands.must_build(*corpus.arguments(folder), "--sequence-lengths", "128,512")
    return folder


# What no recipe asks for, or asks for only in bfloat16, whose tolerances hide what is small: a recipe and overrides.
VARIANTS = {
    "dynamic-masking": ("bert-base", {"data.masking": "dynamic", "training.precision": "fp32"}),
    "lamb-in-float32": ("bert-large-phase1", {"training.precision": "fp32"}),
}


@pytest.mark.parametrize("name", [*(recipe.stem for recipe in RECIPES), *VARIANTS])
def test_curve_is_golden(
    name: str, shards: Path, corpus, commands, write_checkpoint, weight_records, golden, tmp_path: Path
) -> None:
    stem, overrides = VARIANTS.get(name, (name, {}))
    recipe = next(recipe for recipe in RECIPES if recipe.stem == stem)
    text = recipe.read_text(encoding="utf-8")
    settings = tomllib.loads(text)
    size = settings.get("model", {}).get("size")  # none where a model is continued
    is_tiny = size == "tiny"  # small enough as it is
    warmup = settings["schedule"]["warmup_steps"] / settings["training"]["steps"]
    changes = {"data.shards": shards, "output.folder": tmp_path / "run"} | COMMON | ({} if is_tiny else SMALL)
    changes |= {"schedule.warmup_steps": max(2, round(STEPS * warmup))} | overrides
    if settings["training"].get("precision", "auto") == "auto":
        changes.setdefault("training.precision", "fp32")  # what every processor has
    if "--init.from" in text:  # a second phase
        shape = {"width": 128, "intermediate": 512} if is_tiny else {"width": 32, "intermediate": 64}
        changes["model.num_attention_heads"] = 2
        changes["init.from"] = write_checkpoint(tmp_path / "first", corpus.vocabulary, largest=0.035, **shape)
    commands.must_pretrain(recipe, *(f"--{key}={value}" for key, value in changes.items()))
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    figures = [line for line in lines if line.get("event", "evaluation") == "evaluation"]
    records = [{key: line[key] for key in (HELD_OUT if "event" in line else STEP)} for line in figures]
    assert [record["step"] for record in records if "event" not in record] == list(range(1, STEPS + 1))
    records += weight_records(tmp_path / "run" / "export" / "model.safetensors")
    precision = changes.get("training.precision") or settings["training"]["precision"]
    golden.check(f"pretraining/{name}", records, TOLERANCES[precision])


def test_every_golden_curve_has_its_recipe() -> None:
    golden = {path.stem for path in (Path(__file__).parent / "golden" / "pretraining").iterdir()}
    assert golden == {recipe.stem for recipe in RECIPES} | set(VARIANTS)
