"""Compiles the model a layer at a time, after it has been tried whether the compiler works here.

All layers are one piece of code, so they are compiled once between them; a model as a whole takes longer the deeper it
is (docs/gpu.md).
"""

import copy
import logging
from contextlib import nullcontext

import torch
import torch.distributed as dist

from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.model.sequence_layout import SequenceLayout


def compile_alike(model: BertForPreTraining, device: torch.device, precision: str, *, asked: bool) -> str | None:
    """Compiles the model's layers on every rank, or on none; returns why it was left out. Collective.

    `asked`: the recipe wants it, so a compiler that fails on any rank is a PretrainingError, the same on all.
    """
    found: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(found, why_not(model, device, precision))
    failed = next(((rank, reason) for rank, reason in enumerate(found) if reason is not None), None)
    if failed is None:
        compile_layers(model)
        return None
    what = f"torch.compile does not work on rank {failed[0]} ({failed[1]})"
    if asked:
        raise PretrainingError(
            f"model.compile is true and {what}; install what it asks for, or set model.compile to false"
        )
    return f"model.compile is off: {what}"


def compile_layers(model: BertForPreTraining) -> None:
    """The encoder's layers and the masked-token head; the rest is too little. In place, names stay as they are."""
    for part in (*model.bert.layers, model.mlm_head):
        part.compile(dynamic=True)  # the number of tokens changes with every micro-batch


def why_not(model: BertForPreTraining, device: torch.device, precision: str) -> str | None:
    """Tries the compiler on a copy of one layer, forward and backward; what it says where it fails, in a line."""
    layer = copy.deepcopy(model.bert.layers[0]).to(device).train()
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    mixed = torch.autocast(device.type, dtype) if dtype is not None else nullcontext()
    hidden_th = torch.randn(24, model.config.hidden_size, device=device, requires_grad=True)
    layout = SequenceLayout.of(torch.tensor([0, 16, 24], dtype=torch.int32, device=device), 16)
    layer.compile(dynamic=True)
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # torch logs the whole stack of what fails: it is one sentence here
    try:
        with mixed:
            result_th = layer(hidden_th, layout, None)
        result_th.float().sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    except Exception as error:  # compilers fail in every way there is
        torch._dynamo.reset()
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return " ".join(line.strip() for line in lines[:2])[:200]  # the first only says which backend it was
    finally:
        logging.disable(disabled)
    return None
