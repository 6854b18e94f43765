"""Which rank this process is: from torch-style variables, from Slurm's, or alone. Imports nothing heavy."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pretraining.errors import PretrainingError

if TYPE_CHECKING:
    import torch

_PORTS = range(20000, 30000)


@dataclass(frozen=True, slots=True)
class RankEnvironment:
    """One process of a run."""

    rank: int
    world_size: int
    local_rank: int
    local_world_size: int
    master_address: str
    master_port: int

    def export(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Writes the variables that torch.distributed and DeepSpeed read."""
        environment["RANK"] = str(self.rank)
        environment["WORLD_SIZE"] = str(self.world_size)
        environment["LOCAL_RANK"] = str(self.local_rank)
        environment["LOCAL_WORLD_SIZE"] = str(self.local_world_size)
        environment["LOCAL_SIZE"] = str(self.local_world_size)
        environment["MASTER_ADDR"] = self.master_address
        environment["MASTER_PORT"] = str(self.master_port)


def read_environment(environment: Mapping[str, str] = os.environ) -> RankEnvironment:
    """Torch-style variables win (a launcher set them); then one Slurm task per rank; else a single process."""
    if "RANK" in environment and "WORLD_SIZE" in environment:
        world_size = _number(environment, "WORLD_SIZE")
        return RankEnvironment(
            rank=_number(environment, "RANK"),
            world_size=world_size,
            local_rank=_number(environment, "LOCAL_RANK", 0),
            local_world_size=_number(environment, "LOCAL_WORLD_SIZE", _number(environment, "LOCAL_SIZE", world_size)),
            master_address=environment.get("MASTER_ADDR", "127.0.0.1"),
            master_port=_free_port() if _meets_nobody(environment) else _number(environment, "MASTER_PORT", 29500),
        )
    if "SLURM_PROCID" in environment and _number(environment, "SLURM_NTASKS", 1) > 1:
        # Two jobs on one node, or a job and its requeued self, must not meet on one port.
        job, restart = _number(environment, "SLURM_JOB_ID", 0), _number(environment, "SLURM_RESTART_COUNT", 0)
        return RankEnvironment(
            rank=_number(environment, "SLURM_PROCID"),
            world_size=_number(environment, "SLURM_NTASKS"),
            local_rank=_number(environment, "SLURM_LOCALID", 0),
            local_world_size=_tasks_here(environment),
            master_address=environment.get("MASTER_ADDR")
            or first_host(environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "127.0.0.1")),
            master_port=_number(environment, "MASTER_PORT", _PORTS[(job * 7 + restart) % len(_PORTS)]),
        )
    return RankEnvironment(0, 1, 0, 1, "127.0.0.1", _free_port())


def _meets_nobody(environment: Mapping[str, str]) -> bool:
    """A single rank, at whose launcher's port nobody listens yet but perhaps another run of this machine: DeepSpeed's
    launcher says 29500 whenever it starts. torchrun listens at its port itself, and that is where torch looks."""
    return environment["WORLD_SIZE"] == "1" and environment.get("TORCHELASTIC_USE_AGENT_STORE") != "True"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def slurm_start(environment: Mapping[str, str] = os.environ) -> str | None:
    """Which start of which Slurm job this is, ``4711.2`` after two requeues; None elsewhere."""
    job = environment.get("SLURM_JOB_ID")
    return f"{job}.{environment.get('SLURM_RESTART_COUNT', '0')}" if job else None


def gpu_of(environment: RankEnvironment, visible: int) -> int:
    """The number of this rank's GPU among the visible ones; PretrainingError when there are too few.

    Slurm's `--gpus-per-task=1` shows every task one GPU, which is number 0 to each of them.
    """
    if visible == 1:
        return 0
    if environment.local_rank >= visible:
        raise PretrainingError(
            f"rank {environment.rank} is number {environment.local_rank} on its node, which shows it {visible} GPUs; "
            "start one task per GPU"
        )
    return environment.local_rank


def device_of(environment: RankEnvironment) -> torch.device:
    """This rank's GPU, or the CPU where there is none."""
    import torch  # late: a signal that comes before is heard

    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", gpu_of(environment, torch.cuda.device_count()))


def threads_of_rank(
    asked: int | None, cores: int, local_ranks: int, environment: Mapping[str, str] = os.environ
) -> int:
    """CPU threads of a rank: as asked; else OMP_NUM_THREADS, where it is one whole number from 1 on; else its share of
    the node's cores.
    """
    if asked is not None:
        return asked
    given = environment.get("OMP_NUM_THREADS", "").strip()
    if re.fullmatch("[0-9]{1,9}", given) and int(given) >= 1:
        return int(given)
    return max(1, cores // local_ranks)


def first_host(node_list: str) -> str:
    """The first host of Slurm's compressed list: ``gpu[003-006,9],cpu1`` gives ``gpu003``."""
    match = re.match(r"([^,\[]+)(?:\[([^\]]+)\])?([^,\[]*)", node_list)
    if match is None:
        raise PretrainingError(f"the node list {node_list!r} has no host; set MASTER_ADDR")
    prefix, numbers, suffix = match.groups()
    return prefix + re.split(r"[-,]", numbers)[0] + suffix if numbers else prefix


def _tasks_here(environment: Mapping[str, str]) -> int:
    """Tasks on this node out of ``2(x3),1``: Slurm counts them per node, repeated nodes in brackets."""
    counts: list[int] = []
    for part in environment.get("SLURM_STEP_TASKS_PER_NODE", environment.get("SLURM_TASKS_PER_NODE", "1")).split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip())
        if match:
            counts += [int(match[1])] * int(match[2] or 1)
    node = _number(environment, "SLURM_NODEID", 0)
    return counts[node] if node < len(counts) else 1


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name)
    if text is None and default is not None:
        return default
    try:
        return int(text or "")
    except ValueError as error:
        raise PretrainingError(
            f"the environment variable {name} is {text!r}, not a number; check the launcher"
        ) from error
