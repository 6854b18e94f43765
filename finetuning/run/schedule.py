"""The learning rate of each step, and Adam with or without bias correction."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from finetuning.run.specification import RunSpec


def learning_rate_at(step: int, steps: int, peak: float, warmup_share: float) -> float:
    """Linear warm-up, then linear decay to zero (Devlin et al. 2018, appendix A.2), continuous where they meet.

    Args:
        step: counts from 1.
        steps: steps of the whole run.
        peak: the highest rate.
        warmup_share: share of the steps that warms up.
    """
    warmup = math.ceil(warmup_share * steps)
    if step <= warmup:
        return peak * step / warmup
    # The first step after the peak is the first to fall, and the last still moves: zero would come one step later.
    return peak * (steps - step + 1) / (steps - max(warmup, 1) + 1)


def optimiser_for(model: nn.Module, spec: RunSpec, *, fused: bool) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; no weight decay on biases and LayerNorm."""
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim > 1 else others).append(parameter)
    return torch.optim.AdamW(
        [{"params": decayed, "decayed": True}, {"params": others, "decayed": False}],
        lr=spec.learning_rate,
        betas=(spec.adam_beta1, spec.adam_beta2),
        eps=spec.adam_epsilon,
        weight_decay=spec.weight_decay,
        fused=fused,
    )


def set_step(groups: Iterable[dict[str, Any]], spec: RunSpec, step: int, steps: int) -> float:
    """Set learning rate, epsilon and weight decay of AdamW's groups for a step; returns the learning rate.

    Without bias correction, Adam's step is lr · m / (√v + ε). AdamW divides m by c1 = 1 - β1ᵗ and √v by
    c2 = √(1 - β2ᵗ), so the same step comes from the rate lr · c1 / c2 with ε / c2, exactly.
    """
    rate = learning_rate_at(step, steps, spec.learning_rate, spec.warmup_share)
    factor = epsilon_factor = 1.0
    if not spec.bias_correction:
        epsilon_factor = 1 / math.sqrt(1 - spec.adam_beta2**step)
        factor = (1 - spec.adam_beta1**step) * epsilon_factor
    for group in groups:
        group["lr"] = rate * factor
        group["eps"] = spec.adam_epsilon * epsilon_factor
        group["weight_decay"] = spec.weight_decay / factor if group["decayed"] else 0.0
    return rate
