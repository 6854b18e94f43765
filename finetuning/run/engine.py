"""What the loop runs on: one device by plain torch, or several ranks under DeepSpeed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from finetuning.errors import FinetuningError
from finetuning.run.result import RunSpec
from finetuning.run.schedule import optimiser_for, set_step


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this rank writes the files."""
        return self.rank == 0

    def gather(self, item: Any) -> list[Any]:
        """The items of all ranks, in their order, on every rank."""
        if self.count == 1:
            return [item]
        items: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(items, item)
        return items


def start_ranks(spec: RunSpec) -> Ranks:
    """Join the process group where a launcher (deepspeed, torchrun, srun with RANK and WORLD_SIZE) set one up."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if spec.threads is not None:
        torch.set_num_threads(spec.threads)
    if count == 1:
        name = spec.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            device = torch.device(name)
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise FinetuningError(f"device {name!r} cannot be used ({reason}); choose another with --device") from None
        return Ranks(0, 1, device)
    import deepspeed

    local = int(os.environ.get("LOCAL_RANK", "0"))
    on_cuda = torch.cuda.is_available() and spec.device != "cpu"
    if on_cuda:
        if torch.cuda.device_count() == 1:  # Slurm's --gpus-per-task=1 shows every task one GPU
            local = 0
            os.environ["LOCAL_RANK"] = "0"  # DeepSpeed takes its device from there
        torch.cuda.set_device(local)
    else:
        # Compiling DeepSpeed's shared-memory op takes minutes and gains nothing at this size.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(dist_backend="nccl" if on_cuda else "gloo", verbose=False)
    device = torch.device("cuda", local) if on_cuda else torch.device("cpu")
    return Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size(), device)


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
        self.spec, self.steps = spec, steps
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
    from finetuning.kinds.encoding import ragged, starts_of

    offsets = starts_of(sizes)
    shape = (int(offsets[-1]), *parts[0][1].shape[1:])
    merged = np.zeros(shape, np.float32)
    for items, rows in parts:
        merged[ragged(offsets[items], sizes[items])] = rows
    return merged
