"""Tells LAMB what the flat tensors hold that DeepSpeed hands it."""

from typing import Any

import torch
from torch import Tensor

from pretraining.errors import PretrainingError
from pretraining.optimization.lamb import FlatLayout, Lamb, Segment
from pretraining.optimization.zero_layout import FlatGroup, flat_groups


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
    flat_groups(engine)  # refuses what is not known
    layouts: dict[Tensor, FlatLayout] = {}

    def layout_of(flat: Tensor) -> FlatLayout:
        if flat not in layouts:  # DeepSpeed may have made new flat tensors since
            layouts.clear()
            layouts.update({group.flat: _layout(group, engine.device) for group in flat_groups(engine)})
        if flat not in layouts:
            raise PretrainingError(
                "LAMB was handed a tensor that is no ZeRO partition: this DeepSpeed is not supported"
            )
        return layouts[flat]

    lamb.layout_of = layout_of


def _layout(group: FlatGroup, device: torch.device) -> FlatLayout:
    """Cuts parts where one stacked matrix ends and the next begins, and numbers the matrices alike on all ranks."""
    segments: list[Segment] = []
    owners = 0
    for parameter, part in zip(group.parameters, group.parts, strict=True):
        stacked = getattr(parameter, "stacked", 1)
        length = getattr(parameter, "ds_numel", parameter.numel()) // stacked
        if part is not None:
            for block in range(part.first // length, (part.last - 1) // length + 1):
                first, last = max(part.first, block * length), min(part.last, (block + 1) * length)
                segments.append(Segment(owners + block, part.start + first - part.first, last - first))
        owners += stacked
    return FlatLayout(tuple(segments), owners, group.process_group, device)
