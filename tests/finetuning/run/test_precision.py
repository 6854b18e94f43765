"""The precision of a fine-tuning run, on devices that are not here."""

import pytest
import torch

from finetuning.errors import FinetuningError
from finetuning.run.precision import chosen_precision, precision_on, use_precision
from finetuning.run.specification import Precision, RunSpec
from pretraining.devices.abilities import Abilities, gpu_abilities

V100, A100 = gpu_abilities("Tesla V100", (7, 0)), gpu_abilities("NVIDIA A100", (8, 0))
CPU = Abilities("CPU", None, has_bfloat16=True)


def test_the_default_leaves_it_to_the_device() -> None:
    assert RunSpec.model_fields["precision"].default == "auto"


@pytest.mark.parametrize(
    ("device", "asked", "precision"),
    [
        (A100, "auto", "bf16"),
        (V100, "auto", "fp32"),
        (CPU, "auto", "fp32"),
        (A100, "tf32", "tf32"),
        (A100, "fp32", "fp32"),
        (CPU, "bf16", "bf16"),
        (V100, "fp32", "fp32"),
    ],
)
def test_what_becomes_of_it(device: Abilities, asked: Precision, precision: str) -> None:
    assert chosen_precision(asked, device) == precision


@pytest.mark.parametrize(("device", "asked"), [(V100, "bf16"), (V100, "tf32"), (CPU, "tf32")])
def test_what_a_device_has_not_is_refused(device: Abilities, asked: Precision) -> None:
    with pytest.raises(FinetuningError, match=rf"--precision {asked}: .* has none"):
        chosen_precision(asked, device)


def test_on_this_machine() -> None:
    assert precision_on("auto", torch.device("cpu")) == "fp32"


@pytest.mark.parametrize(("precision", "allowed"), [("tf32", True), ("fp32", False), ("bf16", False)])
def test_tf32_is_used_where_it_was_chosen(precision: Precision, allowed: bool) -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    try:
        use_precision(precision)
        assert torch.backends.cuda.matmul.allow_tf32 is allowed
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
