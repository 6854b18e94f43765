"""The planner's figures: parameters, FLOPs and memory against what is counted and measured."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.synthetic_shards import write_shards
from pretraining.configuration.recipe import load_recipe
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import PUBLISHED_SIZES, BertConfig
from pretraining.plan import main, make_plan
from pretraining.planning.flops import Work, datasheet_tflops, forward_flops, measure_matmul_tflops, training_flops
from pretraining.planning.memory import activation_bytes, memory_per_rank, parameter_count

RECIPES = Path(__file__).parents[2] / "pretraining" / "recipes"


@pytest.mark.parametrize("size", sorted(PUBLISHED_SIZES))
def test_parameter_count(size: str) -> None:
    config = BertConfig.named(size)
    with torch.device("meta"):
        model = BertForPreTraining(config)
    assert parameter_count(config) == sum(parameter.numel() for parameter in model.parameters())


def test_published_sizes() -> None:
    """340 M and 110 M in the paper, which rounds."""
    assert parameter_count(BertConfig.named("large")) == pytest.approx(340e6, rel=0.02)
    assert parameter_count(BertConfig.named("base")) == pytest.approx(110e6, rel=0.02)


def test_flops_equal_those_that_torch_counts() -> None:
    """Of `transformers`, whose masked-token head runs on every token; sequences of one length, so no padding."""
    transformers = pytest.importorskip("transformers")
    config = BertConfig.named("tiny", vocab_size=65)
    settings = transformers.BertConfig(**config.to_huggingface())
    settings._attn_implementation = "eager"
    model = transformers.BertForPreTraining(settings).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones(8, 32, dtype=torch.long))
    work = Work(tokens=8 * 32, squared_tokens=8 * 32 * 32, masked_tokens=8 * 32, sequences=8)
    assert counter.get_total_flops() == forward_flops(config, work)
    assert training_flops(config, work) == 3 * forward_flops(config, work)


def test_measuring_the_peak_leaves_the_random_numbers_of_a_run_alone() -> None:
    """A resumed run measures it after its random state is restored; its dropout must go on where it stopped."""
    before = torch.get_rng_state()
    assert measure_matmul_tflops(torch.float32, seconds=0.0, size=8) > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_activations_are_near_what_a_forward_pass_keeps(tmp_path: Path) -> None:
    """Bytes that autograd saves, parameters left out, within a factor of 1.6 either way."""
    examples = Examples(open_shard_sets([write_shards(tmp_path / "s", full_share=1.0)], 32, None), "train", 32)
    batch = examples.pack(torch.arange(32).numpy())
    config = BertConfig.named("mini", vocab_size=65)
    model = BertForPreTraining(config).train()
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        sums = model(batch)
        saved = sum(kept.values())
    assert sums.masked_tokens > 0
    masked = len(batch.masked_indices_m)
    shape = {"tokens": batch.tokens, "sequences": 32, "longest": 32, "masked": masked}
    planned = activation_bytes(config, precision="fp32", **shape, checkpointing=False, flash=False)
    assert saved / 1.6 < planned < saved * 1.6


def test_sixteen_bytes_a_parameter() -> None:
    """The arithmetic behind stage 1 as the default: 16 bytes × 340 M, of which the moments are divided."""
    config = BertConfig.named("large")
    shape = {"tokens": 8192, "sequences": 64, "longest": 128, "masked": 1200}
    found = {stage: memory_per_rank(config, stage=stage, ranks=64, precision="bf16", **shape) for stage in range(4)}
    count = parameter_count(config)
    assert found[0].states == 16 * count
    assert found[1].states == 8 * count + 8 * count // 64
    assert found[2].states == pytest.approx(4 * count + 12 * count / 64)
    assert found[3].states == pytest.approx(16 * count / 64, rel=1e-6)
    half = memory_per_rank(config, stage=0, ranks=64, precision="fp16", **shape)
    assert half.states == 16 * count
    offloaded = memory_per_rank(config, stage=2, ranks=64, precision="bf16", offload_optimizer=True, **shape)
    assert offloaded.optimizer == 0
    checkpointed = memory_per_rank(config, stage=1, ranks=64, precision="bf16", checkpointing=True, **shape)
    assert checkpointed.activations < 0.2 * found[1].activations


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


def test_datasheet_by_device_name() -> None:
    assert datasheet_tflops("NVIDIA H100 80GB HBM3", "bf16") == 989.4
    assert datasheet_tflops("NVIDIA A100-SXM4-80GB", "fp32") == 19.5
    assert datasheet_tflops("Tesla T4", "bf16") is None


def test_unknown_gpu_in_python() -> None:
    with pytest.raises(PretrainingError, match="known"):
        make_plan(load_recipe(RECIPES / "bert-base.toml"), 1, "tpu", 0.4)
