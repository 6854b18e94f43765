"""Starts DeepSpeed: process group, engine, optimiser."""

import math
import os
import warnings
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import deepspeed
import deepspeed.comm
import torch
import torch.distributed as dist
from deepspeed.ops import __compatible_ops__
from deepspeed.runtime.zero import GatheredParameters
from deepspeed.utils import logger as deepspeed_logger
from deepspeed.utils import safe_get_full_fp32_param
from torch import nn

from pretraining.configuration.deepspeed import deepspeed_configuration
from pretraining.configuration.tables import Recipe
from pretraining.optimization.lamb import Lamb
from pretraining.optimization.lamb_layout import attach_lamb
from pretraining.optimization.optimizers import build_optimizer
from pretraining.rendezvous import Place, join
from pretraining.run.health.finite import guard_stage_0
from pretraining.run.ranks import RankEnvironment, gpu_of

PROCESS_GROUP_TIMEOUT = timedelta(minutes=30)  # the last resort: who is lost is found out long before
JOIN_SECONDS = 300.0


def start_processes(
    environment: RankEnvironment,
    facts: Mapping[str, str] | None = None,
    seconds: float = JOIN_SECONDS,
    wish_to_stop: Callable[[], str | None] = lambda: None,
) -> torch.device:
    """Joins the process group (NCCL on GPUs, gloo on the CPU) and returns this rank's device.

    Raises what `pretraining.rendezvous.join` raises.
    """
    environment.export()
    warnings.filterwarnings("ignore", message=".*all_gather_into_tensor.*", category=FutureWarning)
    deepspeed_logger.setLevel("WARNING")
    on_gpu = torch.cuda.is_available()
    gpu = 0
    if on_gpu:
        gpu = gpu_of(environment, torch.cuda.device_count())
        os.environ["LOCAL_RANK"] = str(gpu)  # DeepSpeed takes its device from there
        torch.cuda.set_device(gpu)
    else:
        # DeepSpeed would compile a shared-memory communication op here (a minute, and a compiler on every node);
        # gloo does the same work.
        __compatible_ops__["deepspeed_shm_comm"] = False
    device = torch.device("cuda", gpu) if on_gpu else torch.device("cpu")
    place = Place(environment.rank, environment.world_size, environment.master_address, environment.master_port)

    def connect() -> None:
        if on_gpu:
            torch.cuda.set_device(gpu)  # each thread has its own
        deepspeed.init_distributed(
            dist_backend="nccl" if on_gpu else "gloo",
            verbose=False,
            timeout=PROCESS_GROUP_TIMEOUT,
            rank=environment.rank,
            world_size=environment.world_size,
        )
        dist.barrier()  # NCCL connects with the first collective

    if place.world_size == 1 or dist.is_initialized():
        connect()
        return device
    join(place, facts or {}, seconds, connect, wish_to_stop)
    return device


def start_engine(recipe: Recipe, model: nn.Module, ranks: int, micro_batches: int, *, on_cpu: bool) -> Any:
    """The DeepSpeed engine around ``model``, with the recipe's optimiser, ready to train."""
    optimizer = build_optimizer(model, recipe.optimizer)
    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=optimizer,
        config=deepspeed_configuration(
            recipe, ranks, micro_batches, on_cpu=on_cpu, sizes=[parameter.numel() for parameter in model.parameters()]
        ),
        dist_init_required=False,
    )
    if isinstance(optimizer, Lamb):
        attach_lamb(engine)
    if recipe.stage == 0:
        guard_stage_0(engine, recipe.training.clip_norm)
    return engine


def set_learning_rate(engine: Any, rate: float) -> None:
    """The rate of the next update, in every parameter group."""
    for group in engine.optimizer.param_groups:
        group["lr"] = rate


def gradient_norm(engine: Any) -> float | None:
    """Norm of the last reduced gradient before clipping; None where it was not finite."""
    norm = engine.get_global_grad_norm()
    # DeepSpeed writes −1 for a norm that is infinite or not a number.
    return float(norm) if norm is not None and 0 <= float(norm) < math.inf else None


def full_weights(engine: Any) -> dict[str, torch.Tensor]:
    """All float32 weights on the CPU of rank 0, whatever the stage (elsewhere an empty dictionary). Collective."""
    master = engine.fp16_enabled()
    first = deepspeed.comm.get_rank() == 0
    weights: dict[str, torch.Tensor] = {}
    for name, parameter in engine.module.named_parameters(remove_duplicate=False):
        with GatheredParameters([parameter], enabled=engine.zero_optimization_stage() == 3):
            full = safe_get_full_fp32_param(parameter) if master else parameter
            if first:
                weights[name] = full.detach().to("cpu", torch.float32).clone()
    return weights
