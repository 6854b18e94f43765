"""How many fine-tuning runs a machine bears at once, and what each of them gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.identity.inputs import weight_files

PROGRAM_BYTES = 1 << 30
"""Python, torch and the data of a run, without weights."""
WEIGHT_COPIES = 4
"""Weights, gradients and Adam's two moments, all fp32."""
ACTIVATION_SHARE = 1.0
"""Activations of a micro-batch, as a multiple of the weights' bytes: an allowance, not a measurement."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one run: environment variables that bind it to its device and cores."""

    environment: Mapping[str, str]

    @property
    def device(self) -> str | None:
        """The GPU as `CUDA_VISIBLE_DEVICES` names it; None: no particular one."""
        return self.environment.get("CUDA_VISIBLE_DEVICES")


def weight_bytes(model: str) -> int:
    """Bytes of the weights in a model's folder."""
    return sum(file.stat().st_size for file in weight_files(model))


def available_cores() -> int:
    """Cores that new processes can use: those that this one is bound to, or a Slurm job's where these are fewer."""
    cores, given = len(os.sched_getaffinity(0)), os.environ.get("SLURM_CPUS_ON_NODE", "")
    return max(1, min(cores, int(given))) if given.isdigit() else cores


def available_memory() -> int:
    """Bytes of memory that new processes can use: what the kernel says, or the limit of control group or Slurm job."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()).isdigit():
        free = min(free, max(0, int(text) - int(used.read_text())))
    return min(free, _slurm_memory() or free)


def _slurm_memory() -> int:
    """Bytes of memory that Slurm gave this job on this machine; 0: no job, or no limit."""
    node, core, cores = (
        int(text) if (text := os.environ.get(f"SLURM_{name}", "0")).isdigit() else 0
        for name in ("MEM_PER_NODE", "MEM_PER_CPU", "CPUS_ON_NODE")
    )
    return (node or core * cores) << 20


def cpu_slots(cores: int, memory: int, model_bytes: int, jobs: int | None = None) -> list[Slot]:
    """One run per core as far as memory goes, at least one; cores are shared out evenly.

    One thread per run wastes least where there are more runs than cores; `jobs` overrides the number.
    """
    need = PROGRAM_BYTES + int(model_bytes * (WEIGHT_COPIES + ACTIVATION_SHARE))
    count = jobs or max(1, min(cores, memory // need))
    threads = str(max(1, cores // count))
    return [Slot({"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}) for _ in range(count)]


def gpu_slots(devices: list[str], cores: int, jobs: int | None = None) -> list[Slot]:
    """One run per device, or `jobs` runs dealt over the devices in turn."""
    count = jobs or len(devices)
    threads = str(max(1, cores // count))
    return [
        Slot({"CUDA_VISIBLE_DEVICES": devices[place % len(devices)], "OMP_NUM_THREADS": threads})
        for place in range(count)
    ]


def machine_slots(models: list[str], jobs: int | None = None) -> list[Slot]:
    """The slots of this machine for runs that start from any of `models`.

    Raises FinetuningError when `jobs` is not positive.
    """
    if jobs is not None and jobs < 1:
        raise FinetuningError(f"--jobs {jobs}: at least one run at once is needed; leave it out to fill the machine")
    cores = available_cores()
    devices = _visible_devices()
    if devices:
        return gpu_slots(devices, cores, jobs)
    return cpu_slots(cores, available_memory(), max(map(weight_bytes, models)), jobs)


def _visible_devices() -> list[str]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device for device in chosen.split(",") if device.strip() not in ("", "-1")]
    import torch  # seconds, and only needed where the environment does not say

    return [str(device) for device in range(torch.cuda.device_count())]
