"""The machine, and what it can do at most: products of matrices, and copies."""

import datetime
import platform
import subprocess
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.kernel_gaps import Ceilings
from pretraining.planning.flops import datasheet_tflops

_PACKAGES = ("torch", "triton", "deepspeed", "transformers", "flash-attn", "torchao", "numpy", "numba")
_PRODUCTS = ((torch.bfloat16, False), (torch.float16, False), (torch.float32, True), (torch.float32, False))


def ceilings(bench: Bench) -> None:
    """Products of 8192³ by precision, and a copy of 4 GiB on the device; and what machine this is."""
    facts = environment(bench)
    name = str(facts["device"])
    sheet = datasheet_tflops(name, "bf16")
    bench.datasheet_flops = None if sheet is None else sheet * 1e12
    bench.say("environment", **facts, datasheet_tflops=sheet)
    size = 256 if bench.dry else 8192
    flops = 0.0
    for dtype, tf32 in _PRODUCTS:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        left, right = (torch.randn(size, size, device=bench.device, dtype=dtype) for _ in range(2))
        seconds = min(bench.event_seconds(partial(torch.mm, left, right), 10) for _ in range(2))
        precision = "tf32" if tf32 else str(dtype).removeprefix("torch.")
        bench.say("ceiling", what=f"product of {size}³, {precision}", tflops=2 * size**3 / seconds / 1e12)
        if dtype == torch.bfloat16:
            flops = 2 * size**3 / seconds
    torch.backends.cuda.matmul.allow_tf32 = False
    source = torch.empty(1 << (20 if bench.dry else 32), dtype=torch.uint8, device=bench.device).random_()
    target = torch.empty_like(source)
    copied = 2 * source.numel() / bench.event_seconds(lambda: target.copy_(source), 10)
    bench.say("ceiling", what="copy on the device, read and written", tb_per_second=copied / 1e12)
    bench.ceilings = Ceilings(flops, copied)


def environment(bench: Bench) -> dict[str, Any]:
    """Card, driver, versions, date, commit: what a figure must be read with."""
    facts: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _said_by("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
        "versions": {name: _version(name) for name in _PACKAGES},
        "device": f"CPU, {torch.get_num_threads()} threads",
    }
    if bench.device.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        facts |= {
            "device": properties.name,
            "driver": _said_by("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
            "capability": ".".join(map(str, torch.cuda.get_device_capability())),
            "memory_gib": properties.total_memory / 2**30,
        }
    return facts


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _said_by(*command: str) -> str | None:
    """The first line that a program prints; None where there is no such program, or it fails."""
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.partition("\n")[0].strip() or None
