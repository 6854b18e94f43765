"""Which precision a run computes in on its device, where it is left open; decided before anything is trained."""

from __future__ import annotations

import torch

from finetuning.errors import FinetuningError
from finetuning.run.specification import Precision
from pretraining.devices.abilities import AMPERE, Abilities, abilities_of


def precision_on(asked: Precision, device: torch.device) -> Precision:
    """`asked` where the device has it; of "auto" what becomes of it there: never "auto".

    Raises:
        FinetuningError: bf16 or tf32 on a GPU before Ampere, tf32 on the CPU.
    """
    return chosen_precision(asked, abilities_of(device))


def chosen_precision(asked: Precision, device: Abilities) -> Precision:
    """As `precision_on`, by what the device can do. On the CPU "auto" is fp32 always, so that scores are the same
    everywhere.
    """
    is_ampere = device.compute_capability is not None and device.compute_capability >= AMPERE
    if asked == "auto":
        return "bf16" if is_ampere else "fp32"
    if (asked == "bf16" and device.is_gpu and not is_ampere) or (asked == "tf32" and not is_ampere):
        raise FinetuningError(
            f"--precision {asked}: {device.described} has none, GPUs have it from compute capability 8.0 on; choose "
            "fp32, or leave the option out"
        )
    return asked


def use_precision(precision: Precision) -> None:
    """Sets how float32 products are computed on a GPU: with TF32's 10 bits of mantissa, or all 23."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
