"""What the forward pass keeps, against what autograd saves."""

from pathlib import Path

import pytest
import torch

from benchmarks.synthetic_shards import write_shards
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.planning.activations import activation_bytes, weight_copy_bytes


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


def test_checkpointing_keeps_one_layer() -> None:
    config = BertConfig.named("large")
    shape = {"tokens": 8192, "sequences": 64, "longest": 128, "masked": 1200, "precision": "bf16", "flash": True}
    whole = activation_bytes(config, **shape, checkpointing=False)
    assert activation_bytes(config, **shape, checkpointing=True) < 0.25 * whole


def test_a_padded_copy_and_kept_scores_take_more() -> None:
    config = BertConfig.named("base")
    shape = {"tokens": 800, "sequences": 8, "longest": 128, "masked": 100, "precision": "bf16", "checkpointing": False}
    packed = activation_bytes(config, **shape, flash=True)
    padded = activation_bytes(config, **shape, flash=True, padded=True)
    assert padded - packed == 12 * 2 * 5 * 768 * 8 * 128
    scores = activation_bytes(config, **shape, flash=False)
    assert scores - packed == 12 * 2 * 2 * 12 * 8 * 128 * 128


@pytest.mark.parametrize("size", ["tiny", "base"])
def test_copies_of_weights_are_those_of_the_products(size: str) -> None:
    config = BertConfig.named(size)
    with torch.device("meta"):
        model = BertForPreTraining(config)
    matrices = sum(
        part.weight.numel()
        for name, part in model.named_modules()
        if isinstance(part, torch.nn.Linear) and name != "nsp_head"
    )
    decoder = 2 * config.vocab_size * config.hidden_size  # and once more with its rows filled up
    assert weight_copy_bytes(config) == 2 * (matrices + decoder)
