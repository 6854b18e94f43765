"""Where DeepSpeed's ZeRO puts each parameter: what LAMB needs to see parameters in flat tensors.

Equality with unsharded LAMB is tested on real processes for what is accepted here; anything else is refused.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pretraining.errors import PretrainingError
from pretraining.optimization.lamb import FlatLayout, Lamb, Segment


class Part(NamedTuple):
    """Elements `first` up to `last` of a parameter (flattened), which lie at `start` of a flat tensor."""

    first: int
    last: int
    start: int


def attach_lamb(engine: Any) -> None:
    """Tells a LAMB inside a DeepSpeed engine where its parameters lie; does nothing for another optimiser.

    Call it once, after `deepspeed.initialize`. Raises PretrainingError for a layout that is not known to be right.
    """
    inner = engine.optimizer
    lamb = getattr(inner, "optimizer", inner)
    if not isinstance(lamb, Lamb):
        return
    if inner is lamb:  # stage 0 in float32 (autocast or not): LAMB holds the model's own parameters
        return
    kind = f"{type(inner).__module__}.{type(inner).__name__}"
    readers = {
        "deepspeed.runtime.zero.stage_1_and_2.DeepSpeedZeroOptimizer": _stages_1_and_2,
        "deepspeed.runtime.zero.stage3.DeepSpeedZeroOptimizer_Stage3": _stage_3,
    }
    if kind not in readers:
        raise PretrainingError(
            f"LAMB is not shown to be right inside DeepSpeed's {type(inner).__name__}: use ZeRO stage 0 in float32 "
            "or bfloat16 autocast, or stage 1, 2 or 3"
        )
    layouts: dict[Tensor, FlatLayout] = {}

    def layout_of(flat: Tensor) -> FlatLayout:
        if flat not in layouts:  # DeepSpeed may have made new flat tensors since
            layouts.clear()
            layouts.update(readers[kind](inner, engine.device))
        if flat not in layouts:
            raise PretrainingError(
                "LAMB was handed a tensor that is no ZeRO partition: this DeepSpeed is not supported"
            )
        return layouts[flat]

    lamb.layout_of = layout_of


def _stages_1_and_2(inner: Any, device: torch.device) -> Iterable[tuple[Tensor, FlatLayout]]:
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
        yield flat, _layout(parameters, parts, inner.real_dp_process_group[group], device)


def _stage_3(inner: Any, device: torch.device) -> Iterable[tuple[Tensor, FlatLayout]]:
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
            raise PretrainingError("LAMB does not know this layout of ZeRO stage 3: this DeepSpeed is not supported")
        yield flat, _layout(parameters, parts, inner.dp_process_group, device)


def _layout(parameters: list[Any], parts: list[Part | None], group: Any, device: torch.device) -> FlatLayout:
    """Cuts parts where one stacked matrix ends and the next begins, and numbers the matrices alike on all ranks."""
    segments: list[Segment] = []
    owners = 0
    for parameter, part in zip(parameters, parts, strict=True):
        stacked = getattr(parameter, "stacked", 1)
        length = getattr(parameter, "ds_numel", parameter.numel()) // stacked
        if part is not None:
            for block in range(part.first // length, (part.last - 1) // length + 1):
                first, last = max(part.first, block * length), min(part.last, (block + 1) * length)
                segments.append(Segment(owners + block, part.start + first - part.first, last - first))
        owners += stacked
    return FlatLayout(tuple(segments), owners, group, device)
