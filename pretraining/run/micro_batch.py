"""What `training.micro_batch_size = "auto"` comes to on the devices of a run; the ranks agree on it."""

from pathlib import Path

import psutil
import torch
import torch.distributed as dist

from pretraining.configuration.tables import Recipe
from pretraining.devices.abilities import AMPERE
from pretraining.model.config import BertConfig
from pretraining.planning.micro_batch import Choice, Device, largest_micro_batch

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def settled(recipe: Recipe, config: BertConfig, device: torch.device, local_ranks: int) -> tuple[Recipe, Choice | None]:
    """The recipe with a number for its micro-batch, the same on all ranks, and why; collective where it says `auto`.

    None where the recipe has a number of its own. PretrainingError, on all ranks, where nothing fits.
    """
    if recipe.training.micro_batch_size != "auto":
        return recipe, None
    least = _least(_device(device, local_ranks), device)
    choice = largest_micro_batch(recipe, config, dist.get_world_size(), least)
    training = recipe.training.model_copy(update={"micro_batch_size": choice.size})
    return recipe.model_copy(update={"training": training}), choice


def _device(device: torch.device, local_ranks: int) -> Device:
    """All that the device has, not what is free: every start of the run finds the same."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return Device(properties.total_memory, True, torch.cuda.get_device_capability(device) >= AMPERE)
    return Device(node_memory() // local_ranks, False)


def _least(device: Device, place: torch.device) -> Device:
    """The least of what any rank has. Collective."""
    facts = torch.tensor([device.memory_bytes, int(device.has_flash_attention)], dtype=torch.int64, device=place)
    dist.all_reduce(facts, op=dist.ReduceOp.MIN)
    memory, has_flash_attention = facts.tolist()
    return Device(memory, device.is_gpu, bool(has_flash_attention))


def node_memory() -> int:
    """Bytes of memory that this machine has, or its container or job may take."""
    limits = [psutil.virtual_memory().total]
    for name in _CGROUP_LIMITS:
        path = Path(name)
        text = path.read_text().strip() if path.is_file() else ""
        limits += [int(text)] if text.isdigit() else []
    return min(limits)
