"""What the loop runs on: one device by plain torch, or several ranks under DeepSpeed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from finetuning.kinds.encoding.ragged import ragged, starts_of
from finetuning.run.ranks import Ranks
from finetuning.run.schedule import optimiser_for, set_step
from finetuning.run.specification import RunSpec


class Engine(Protocol):
    """Forward, backward and step, wherever the model lies."""

    model: nn.Module

    def backward(self, loss: Tensor, *, is_last: bool) -> None:
        """Add the gradients of one forward pass; `is_last`: of the batch's last."""

    def step(self, step: int) -> None:
        """Clip, update and clear the gradients; steps count from 1."""


class LocalEngine:
    """Plain torch on one device."""

    def __init__(self, model: nn.Module, spec: RunSpec, steps: int, device: torch.device) -> None:
        self.model = model.to(device)
        self.spec, self.steps, self.device = spec, steps, device
        self.optimiser = optimiser_for(model, spec, fused=device.type in ("cpu", "cuda"))
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def backward(self, loss: Tensor, *, is_last: bool) -> None:
        loss.backward()

    def step(self, step: int) -> None:
        if self.spec.gradient_clip:
            nn.utils.clip_grad_norm_(self.parameters, self.spec.gradient_clip)
        set_step(self.optimiser.param_groups, self.spec, step, self.steps)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)


class DeepSpeedEngine:
    """Several ranks under DeepSpeed, with ZeRO if asked for."""

    def __init__(self, model: nn.Module, spec: RunSpec, steps: int, ranks: Ranks) -> None:
        import deepspeed

        self.spec, self.steps, self.ranks = spec, steps, ranks
        self.model = model.to(ranks.device)
        self.engine, _, _, _ = deepspeed.initialize(
            model=self.model,
            optimizer=optimiser_for(model, spec, fused=False),
            config={
                # DeepSpeed only checks these for consistency here: the loop counts its own batches.
                "train_micro_batch_size_per_gpu": 1,
                "gradient_accumulation_steps": 1,
                "zero_optimization": {"stage": spec.zero_stage},
                "zero_allow_untested_optimizer": True,
                "gradient_clipping": spec.gradient_clip,
                "steps_per_print": 10**9,
            },
        )

    def backward(self, loss: Tensor, *, is_last: bool) -> None:
        self.engine.set_gradient_accumulation_boundary(is_last)
        # DeepSpeed takes the mean over the ranks; the loss is a share of one sum over all of them.
        self.engine.backward(loss * self.ranks.count)

    def step(self, step: int) -> None:
        set_step(self.engine.optimizer.param_groups, self.spec, step, self.steps)
        self.engine.step()


def engine_for(model: nn.Module, spec: RunSpec, steps: int, ranks: Ranks) -> Engine:
    """The engine that fits the number of ranks."""
    if ranks.count > 1:
        return DeepSpeedEngine(model, spec, steps, ranks)
    return LocalEngine(model, spec, steps, ranks.device)


def merge_by_item(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]], sizes: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Put rows of logits back into the order of the split.

    Args:
        parts: (items, their rows one after the other), each item once over all parts.
        sizes: rows of each item.
    """
    offsets = starts_of(sizes)
    shape = (int(offsets[-1]), *parts[0][1].shape[1:])
    merged = np.zeros(shape, np.float32)
    for items, rows in parts:
        merged[ragged(offsets[items], sizes[items])] = rows
    return merged
