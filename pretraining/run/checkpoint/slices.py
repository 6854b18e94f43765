"""What a rank holds of the weights and the optimiser's moments, by parameter name, whatever the ZeRO stage.

A slice is a range of a parameter's elements in memory order. A checkpoint is the slices of all ranks; a rank of any
other layout reads the ranges that it needs out of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pretraining.optimization.optimizers import MOMENTS, fresh_state
from pretraining.optimization.zero_layout import flat_groups, refresh_model

WEIGHT = "weight"
KINDS = (WEIGHT, *MOMENTS)


@dataclass(frozen=True)
class Slice:
    """Elements `first` up to `last` of a parameter: views of float32 tensors that the optimiser works on."""

    name: str
    first: int
    last: int
    tensors: dict[str, Tensor]  # of each kind [last - first]; only the weight where no update was made yet


class Source(Protocol):
    """Where slices are read from."""

    def read(self, kind: str, name: str, first: int, last: int, into: Tensor) -> None:
        """Fills `into` [last - first]."""


def parameter_shapes(engine: Any) -> dict[str, list[int]]:
    """The full shape of every parameter by name; one that stands in the model twice under its first name."""
    return {name: list(getattr(p, "ds_shape", p.shape)) for name, p in engine.module.named_parameters()}


def held_slices(engine: Any) -> list[Slice]:
    """All slices that this rank holds; at stage 0 that is everything, on every rank."""
    return [part for _, group in _holdings(engine) for part in group]


def share_of(slices: list[Slice], rank: int, ranks: int) -> list[Slice]:
    """An equal share of slices that every rank holds: what rank `rank` writes of them."""
    total = sum(part.last - part.first for part in slices)
    low, high = total * rank // ranks, total * (rank + 1) // ranks
    shares, start = [], 0
    for part in slices:
        length = part.last - part.first
        first, last = max(low - start, 0), min(high - start, length)
        if first < last:
            tensors = {kind: tensor[first:last] for kind, tensor in part.tensors.items()}
            shares.append(Slice(part.name, part.first + first, part.first + last, tensors))
        start += length
    return shares


def applied_updates(engine: Any) -> int:
    """Updates that the moments have seen: without those that were left out, over all restarts and phases."""
    optimizer = _base_optimizer(engine)
    counts = [int(state["step"]) for state in optimizer.state.values() if "step" in state]
    if counts:
        return max(counts)
    # An optimiser that corrects nothing keeps no count; that it has moments is all that matters.
    return int(any(MOMENTS[0] in state for state in optimizer.state.values()))


def fill(engine: Any, source: Source, updates: int) -> None:
    """Puts weights and moments of a checkpoint into the engine; `updates` of them were made. Collective."""
    optimizer = _base_optimizer(engine)
    with torch.no_grad():
        for flat, _ in _holdings(engine):
            optimizer.state.pop(flat, None)
            if updates:
                optimizer.state[flat] = fresh_state(optimizer, flat, updates)
        for _, group in _holdings(engine):
            for part in group:
                for kind, tensor in part.tensors.items():
                    source.read(kind, part.name, part.first, part.last, tensor)
        refresh_model(engine)


def _holdings(engine: Any) -> Iterator[tuple[Tensor, list[Slice]]]:
    """Each tensor that the optimiser updates on this rank, and the slices in it."""
    optimizer = _base_optimizer(engine)
    names = {id(parameter): name for name, parameter in engine.module.named_parameters()}
    if engine.zero_optimization_stage() == 0:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                tensors = _kinds(optimizer, parameter)
                yield parameter, [Slice(names[id(parameter)], 0, parameter.numel(), tensors)]
        return
    for group in flat_groups(engine):
        whole = _kinds(optimizer, group.flat)
        slices = []
        for parameter, part in zip(group.parameters, group.parts, strict=True):
            if part is not None:
                end = part.start + part.last - part.first
                tensors = {kind: tensor[part.start : end] for kind, tensor in whole.items()}
                slices.append(Slice(names[id(parameter)], part.first, part.last, tensors))
        yield group.flat, slices


def _kinds(optimizer: Any, tensor: Tensor) -> dict[str, Tensor]:
    state = optimizer.state.get(tensor, {})
    moments = {name: state[name] for name in MOMENTS if name in state}
    return {kind: value.detach().view(-1) for kind, value in {WEIGHT: tensor, **moments}.items()}


def _base_optimizer(engine: Any) -> Any:
    """The optimiser that we handed to DeepSpeed, out of what it wrapped around it."""
    return getattr(engine.optimizer, "optimizer", engine.optimizer)
