"""A step whose loss or gradient is not finite changes no weight on any rank, at every ZeRO stage."""

import math
from typing import Any

import torch
from torch import Tensor


def spoiling(loss: Tensor) -> Tensor:
    """1 for a finite loss, else not a number: a factor that makes every gradient of a bad loss recognisable.

    A loss may be infinite while its gradient is not. DeepSpeed leaves an update out where any rank's gradient is not
    finite, so all ranks leave it out together. Nothing waits for the device.
    """
    return 1 + 0 * loss.detach()


def guard_stage_0(engine: Any, clip_norm: float) -> None:
    """At ZeRO stage 0 DeepSpeed hands its gradients to the optimiser as they are: looks at them first.

    The gradients are reduced by then and equal on every rank, so all decide alike. An update with a gradient that is
    not finite is left out and counted as DeepSpeed counts its own; others are clipped to `clip_norm` (0: not at all),
    over all parameters. The norm before clipping is `engine.get_global_grad_norm()`.
    """
    optimizer = engine.optimizer
    update = optimizer.step

    def step(closure: None = None) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
        optimizer._global_grad_norm = float(norm)
        optimizer.overflow = not math.isfinite(optimizer._global_grad_norm)
        if optimizer.overflow:
            return
        if clip_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, clip_norm, norm)
        update()

    optimizer.step = step
