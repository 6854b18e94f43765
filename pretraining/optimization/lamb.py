"""LAMB (You et al. 2020, algorithm 2), with one trust ratio per parameter also where ZeRO has cut parameters up.

DeepSpeed hands an optimiser one flat tensor per parameter group, a slice of which may hold a part of a parameter. The
norms of each part are summed over all ranks in one all-reduce, so that every rank scales its part by the ratio of the
whole parameter. Where the parts lie: `pretraining.optimization.lamb_layout`.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, overload

import torch
import torch.distributed as dist
from torch import Tensor

from pretraining.errors import PretrainingError


@dataclass(frozen=True)
class Segment:
    """A run of elements of a flat tensor that belongs to one matrix or vector of the model."""

    owner: int  # number of that matrix in its group, the same on every rank
    start: int
    length: int


@dataclass(frozen=True)
class FlatLayout:
    """What a flat tensor holds on this rank. `owners` counts the matrices of the group over all ranks."""

    segments: tuple[Segment, ...]
    owners: int
    group: dist.ProcessGroup | None  # ranks that hold the other parts; None: nothing is cut up
    device: torch.device  # where the process group communicates

    @functools.cached_property
    def owner_of_segment(self) -> Tensor:
        """int64 [segments], on `device`. Made once: the host waits for such a copy."""
        return torch.tensor([segment.owner for segment in self.segments], dtype=torch.int64, device=self.device)


class Lamb(torch.optim.Optimizer):
    """LAMB with decoupled weight decay. A group with `adapt=False` takes plain Adam steps (ratio 1).

    A parameter with an attribute `stacked` = n holds n matrices, one above the other, and gets n ratios. Gradients and
    parameters are float32. Under ZeRO, `layout_of` must be set (see `lamb_layout.attach_lamb`) before the first step.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        bias_correction: bool = True,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "adapt": True}
        super().__init__(params, {**defaults, "bias_correction": bias_correction})
        self._whole = {parameter for group in self.param_groups for parameter in group["params"]}
        self._layouts: dict[Tensor, FlatLayout] = {}  # of parameters that are not cut up
        self.layout_of: Callable[[Tensor], FlatLayout] | None = None
        self.trust_ratios: dict[Tensor, Tensor] = {}  # of the last step, float32 [owners], for reports and tests

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update; every rank must call it for the same groups in the same order."""
        if closure is not None:
            raise PretrainingError("LAMB takes no closure: compute the gradients before the step")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return None

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient, (beta1, beta2) = self.state[parameter], parameter.grad, group["betas"]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        corrections = (1.0, 1.0)
        if group["bias_correction"]:
            step = state["step"].item()
            corrections = (1 - beta1**step, 1 - beta2**step)
        update = (square / corrections[1]).sqrt_().add_(group["eps"])
        torch.div(mean, update, out=update)
        update.div_(corrections[0]).add_(parameter, alpha=group["weight_decay"])
        if group["adapt"]:
            self._scale_by_trust_ratios(parameter, update)
        parameter.add_(update, alpha=-group["lr"])

    def _scale_by_trust_ratios(self, parameter: Tensor, update: Tensor) -> None:
        layout = self._layout(parameter)
        weights, updates = _cut(parameter, layout), _cut(update, layout)
        norms = torch.zeros(2, layout.owners, dtype=torch.float64, device=layout.device)
        if weights:
            owners = layout.owner_of_segment
            for row, parts in enumerate((weights, updates)):
                squares = torch.stack(torch._foreach_norm(parts)).to(layout.device, torch.float64).square()
                norms[row].index_add_(0, owners, squares)
        if layout.group is not None:
            dist.all_reduce(norms, group=layout.group)
        weight_norms, update_norms = norms.sqrt()
        usable = (weight_norms > 0) & (update_norms > 0)
        ratios = torch.where(usable, weight_norms / update_norms, 1.0).to(parameter.device, parameter.dtype)
        self.trust_ratios[parameter] = ratios
        if updates:
            torch._foreach_mul_(updates, [ratios[segment.owner] for segment in layout.segments])

    def _layout(self, parameter: Tensor) -> FlatLayout:
        if self.layout_of is not None:
            return self.layout_of(parameter)
        if parameter not in self._whole:
            raise PretrainingError(
                "LAMB was handed a tensor that is none of the model's parameters, and does not know what it holds: "
                "call attach_lamb(engine) after deepspeed.initialize"
            )
        if parameter not in self._layouts:
            self._layouts[parameter] = whole_layout(parameter)
        return self._layouts[parameter]


def whole_layout(parameter: Tensor) -> FlatLayout:
    """The layout of a parameter that is not cut up."""
    stacked = getattr(parameter, "stacked", 1)
    length = parameter.numel() // stacked
    segments = tuple(Segment(owner, owner * length, length) for owner in range(stacked))
    return FlatLayout(segments, stacked, None, parameter.device)


def _cut(tensor: Tensor, layout: FlatLayout) -> list[Tensor]:
    flat = tensor.view(-1)
    return [flat[segment.start : segment.start + segment.length] for segment in layout.segments]
