"""What the devices of a run can do at most, of which MFU is a share."""

import sys

import torch
import torch.distributed as dist

from pretraining.configuration.tables import Recipe
from pretraining.planning.flops import datasheet_tflops
from pretraining.planning.measured_peak import measure_matmul_tflops


def peak_flops(recipe: Recipe, device: torch.device) -> float:
    """FLOP/s of all devices together at most: as the recipe says, by datasheets, or measured. Collective.

    Ranks may have different cards: their peaks are added up. A card that the table does not know is measured, and
    rank 0 says so of its own.
    """
    own = recipe.output.peak_tflops
    if own is None and device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        own = datasheet_tflops(name, recipe.training.precision)
        if own is None:
            own = _measured(recipe, device)
            if dist.get_rank() == 0:
                print(
                    f"no datasheet figure for {name} in {recipe.training.precision}: MFU is a share of the "
                    f"{own:.1f} TFLOP/s that its products of matrices reached just now; output.peak_tflops sets it",
                    file=sys.stderr,
                    flush=True,
                )
    elif own is None:
        dist.barrier()  # measured by all ranks at once, as they will compute
        own = _measured(recipe, device)
    total = torch.tensor(own, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return float(total) * 1e12


def _measured(recipe: Recipe, device: torch.device) -> float:
    formats = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    return measure_matmul_tflops(formats[recipe.training.precision], device=device)
