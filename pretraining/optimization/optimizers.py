"""The optimiser of a run: AdamW or LAMB over two groups of parameters, with and without weight decay."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pretraining.optimization.lamb import Lamb
from pretraining.optimization.options import OptimizerConfig


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser for `deepspeed.initialize(optimizer=…)`; afterwards call `lamb_layout.attach_lamb(engine)`.

    Call it before ZeRO cuts the parameters up. The first group decays; biases and LayerNorm, the second, do not and
    have no trust ratio.
    """
    settings: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": (config.beta1, config.beta2),
        "eps": config.epsilon,
    }
    decayed, plain = split_parameters(model)
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    if config.name == "lamb":
        groups[1]["adapt"] = False
        return Lamb(groups, **settings, bias_correction=config.bias_correction)
    if config.bias_correction:
        return torch.optim.AdamW(groups, **settings, fused=True)
    return UncorrectedAdamW(groups, **settings)


MOMENTS = ("exp_avg", "exp_avg_sq")  # what all of them keep for each parameter, besides a count of updates


def fresh_state(optimizer: torch.optim.Optimizer, parameter: Tensor, updates: int) -> dict[str, Tensor]:
    """The state that an optimiser of `build_optimizer` keeps for a parameter after `updates` updates, moments at 0."""
    moments = {name: torch.zeros_like(parameter) for name in MOMENTS}
    if isinstance(optimizer, UncorrectedAdamW):
        return moments
    device = "cpu" if isinstance(optimizer, Lamb) else parameter.device  # where each of them reads its count
    return {"step": torch.tensor(float(updates), dtype=torch.float32, device=device), **moments}


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Matrices and embeddings, which decay; biases and LayerNorm, which do not."""
    undecayed = {
        parameter for part in model.modules() if isinstance(part, nn.LayerNorm) for parameter in part.parameters()
    }
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (plain if name.endswith("bias") or parameter in undecayed else decayed).append(parameter)
    return decayed, plain


class UncorrectedAdamW(torch.optim.Optimizer):
    """AdamW as in the published code of BERT: the moments start at zero and are not corrected for it."""

    def __init__(
        self, params: Any, lr: float, betas: tuple[float, float], eps: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        if not state:
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(state["exp_avg"], state["exp_avg_sq"].sqrt().add_(group["eps"]), value=-group["lr"])
