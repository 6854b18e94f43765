"""Where DeepSpeed's ZeRO puts each parameter: what LAMB needs to see parameters in flat tensors, and checkpoints to
write them by name.

Equality with what is not cut up is tested on real processes for what is accepted here; anything else is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pretraining.errors import PretrainingError


class Part(NamedTuple):
    """Elements `first` up to `last` of a parameter (flattened), which lie at `start` of a flat tensor."""

    first: int
    last: int
    start: int


@dataclass(frozen=True)
class FlatGroup:
    """One flat tensor of float32 weights that the optimiser updates on this rank, and what it holds."""

    flat: Tensor  # [elements]
    parameters: tuple[Any, ...]  # of the model, all of the group
    parts: tuple[Part | None, ...]  # of each parameter; None where this rank holds nothing of it
    process_group: Any  # ranks that hold the other parts


def flat_groups(engine: Any) -> list[FlatGroup]:
    """The flat tensors of a DeepSpeed engine at ZeRO stage 1, 2 or 3; PretrainingError for any other layout."""
    inner = engine.optimizer
    kind = f"{type(inner).__module__}.{type(inner).__name__}"
    readers = {
        "deepspeed.runtime.zero.stage_1_and_2.DeepSpeedZeroOptimizer": _stages_1_and_2,
        "deepspeed.runtime.zero.stage3.DeepSpeedZeroOptimizer_Stage3": _stage_3,
    }
    if kind not in readers:
        raise PretrainingError(
            f"DeepSpeed's {type(inner).__name__} is not known here: use ZeRO stage 0 in float32 or bfloat16 autocast, "
            "or stage 1, 2 or 3"
        )
    return list(readers[kind](inner))


def _stages_1_and_2(inner: Any) -> Iterator[FlatGroup]:
    """All parameters of a group end to end, cut into one equal slice per rank (what universal checkpoints record)."""
    for group, parameters in enumerate(inner.bit16_groups):
        parts: list[Part | None] = []
        for parameter in parameters:
            mapping = parameter._hp_mapping
            if mapping is None:
                parts.append(None)
                continue
            first, length = mapping.lp_fragment_address.start, mapping.lp_fragment_address.numel
            parts.append(Part(first, first + length, mapping.hp_fragment_address.start))
        flat = inner.single_partition_of_fp32_groups[group]
        yield FlatGroup(flat, tuple(parameters), tuple(parts), inner.real_dp_process_group[group])


def _stage_3(inner: Any) -> Iterator[FlatGroup]:
    """Each parameter cut into one equal slice per rank, the last one padded; a group's slices end to end."""
    rank = torch.distributed.get_rank(group=inner.dp_process_group)
    for flat, parameters in zip(inner.fp32_partitioned_groups_flat, inner.fp16_groups, strict=True):
        parts: list[Part | None] = []
        start = 0
        for parameter in parameters:
            size = parameter.partition_numel()
            first, last = rank * size, min((rank + 1) * size, parameter.ds_numel)
            parts.append(Part(first, last, start) if first < last else None)
            start += size
        if start != flat.numel():
            raise PretrainingError("this layout of ZeRO stage 3 is not known here: this DeepSpeed is not supported")
        yield FlatGroup(flat, tuple(parameters), tuple(parts), inner.dp_process_group)


def refresh_model(engine: Any) -> None:
    """Copies the float32 weights of all ranks into what the model computes with; collective. Nothing at stage 0."""
    stage = engine.zero_optimization_stage()
    inner = engine.optimizer
    if stage in (1, 2):
        inner.update_lp_params()
    if stage == 3:
        inner.checkpoint_event_prologue()  # what is kept whole on every rank is cut up first
        for flat, low in zip(inner.fp32_partitioned_groups_flat, inner.fp16_partitioned_groups_flat, strict=True):
            low.data.copy_(flat.data)
        for low, partitions in zip(inner.fp16_partitioned_groups_flat, inner.fp16_partitioned_groups, strict=True):
            for partition, new in zip(partitions, inner.unflatten(low, partitions), strict=True):
                partition.data = new.data
        inner.checkpoint_event_epilogue()
