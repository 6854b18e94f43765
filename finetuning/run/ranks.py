"""The processes that share a run, and the device of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from finetuning.errors import FinetuningError, RetryableError
from finetuning.run.specification import RunSpec
from pretraining.devices.freed_memory import keep_freed_memory
from pretraining.errors import JoinError, MismatchError
from pretraining.rendezvous import Place, facts_of, join


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
    if spec.device == "cpu" or not torch.cuda.is_available():
        keep_freed_memory()
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
    device = torch.device("cuda", local) if on_cuda else torch.device("cpu")

    def connect() -> None:
        if on_cuda:
            torch.cuda.set_device(local)  # each thread has its own
        deepspeed.init_distributed(dist_backend="nccl" if on_cuda else "gloo", verbose=False)
        torch.distributed.barrier()  # NCCL connects with the first collective

    if not torch.distributed.is_initialized():
        _join(spec, count, connect)
    return Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size(), device)


def _join(spec: RunSpec, count: int, connect: Callable[[], None]) -> None:
    """Makes the process group. RetryableError where ranks do not come in time, FinetuningError where they differ."""
    address, port = os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", "29500"))
    place = Place(int(os.environ.get("RANK", "0")), count, address, port, "--join-seconds")
    # What may lie elsewhere on each machine, or be otherwise, and change no result.
    settings = spec.model_dump(mode="json", exclude={"data", "tokenizer", "device", "threads", "join_seconds"})
    facts = facts_of(str(spec.output), settings, ("preprocessing", "pretraining", "finetuning"), os.environ)
    try:
        join(place, facts, spec.join_seconds, connect)
    except JoinError as error:
        raise RetryableError(str(error)) from error
    except MismatchError as error:
        raise FinetuningError(str(error)) from error
