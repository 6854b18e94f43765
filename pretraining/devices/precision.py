"""Which precision a run computes in, where it leaves that to the device, and what a device cannot do.

Decided before the first step, on every rank alike, and said in one sentence.
"""

from dataclasses import dataclass
from typing import Literal

from pretraining.devices.abilities import ADA, Abilities
from pretraining.errors import PretrainingError

Precision = Literal["fp32", "bf16", "fp16"]
Asked = Literal["auto", "fp32", "bf16", "fp16"]
FP8_ASKED = 'training.linear_layers = "fp8"'


@dataclass(frozen=True)
class Choice:
    """A precision, and what is to be said of it: why it was chosen, or what is wrong with the one that was asked for.

    `reason` is empty where the recipe asked for it and nothing is remarkable.
    """

    precision: Precision
    reason: str = ""


def choose_precision(asked: Asked, device: Abilities, stage: int = 1) -> Choice:
    """The precision of a pretraining run at ZeRO `stage`.

    "auto" is bf16 where the device has instructions for it; on older GPUs fp16, which DeepSpeed has from stage 1 on;
    else fp32. On the CPU a whole step was faster in bf16 with such instructions, and slower without
    (docs/pretraining.md). PretrainingError for bf16 on a GPU before Ampere.
    """
    if asked == "auto":
        return _automatic(device, stage)
    if asked == "bf16" and not device.has_bfloat16:
        if device.is_gpu:
            raise PretrainingError(
                f'training.precision = "bf16": {device.described} has no bfloat16, which begins at 8.0; set '
                'training.precision to "fp16", or to "auto", which takes what the device has'
            )
        return Choice(
            "bf16",
            "training.precision is bf16 and this CPU has no instructions for it (avx512_bf16): products are emulated, "
            'and a step takes about twice as long as in fp32; set training.precision to "fp32" or "auto"',
        )
    return Choice(asked)


def _automatic(device: Abilities, stage: int) -> Choice:
    if device.has_bfloat16:
        return Choice("bf16", f"training.precision is bf16: {device.described} has instructions for it")
    if not device.is_gpu:
        return Choice("fp32", "training.precision is fp32: this CPU has no instructions for bf16 (avx512_bf16)")
    if stage == 0:
        return Choice(
            "fp32",
            f"training.precision is fp32: {device.described} has no bfloat16, and fp16 needs ZeRO stage 1 or more",
        )
    return Choice("fp16", f"training.precision is fp16: {device.described} has no bfloat16, which begins at 8.0")


def require_fp8_products(device: Abilities) -> None:
    """PretrainingError where `device` has no products in FP8."""
    if device.compute_capability is None or device.compute_capability < ADA:
        raise PretrainingError(
            f"{FP8_ASKED} needs a GPU of compute capability 8.9 or above, not {device.described}; leave it out"
        )
