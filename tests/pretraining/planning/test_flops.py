"""Counted operations against those that torch counts; datasheets by a device's name."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pretraining.model.config import BertConfig
from pretraining.planning.flops import Work, datasheet_tflops, forward_flops, training_flops


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


def test_datasheet_by_device_name() -> None:
    assert datasheet_tflops("NVIDIA H100 80GB HBM3", "bf16") == 989.4
    assert datasheet_tflops("NVIDIA A100-SXM4-80GB", "fp32") == 19.5
    assert datasheet_tflops("Tesla T4", "bf16") is None
    assert datasheet_tflops("Tesla T4", "fp16") == 65
    assert datasheet_tflops("NVIDIA H100 PCIe", "bf16") == 756
