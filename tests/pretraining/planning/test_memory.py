"""Parameters, states and activations against what is counted and measured."""

from pathlib import Path

import pytest
import torch

from benchmarks.synthetic_shards import write_shards
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import PUBLISHED_SIZES, BertConfig
from pretraining.planning.memory import activation_bytes, memory_per_rank, parameter_count


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
