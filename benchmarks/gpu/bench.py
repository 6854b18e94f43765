"""Where figures go, and how time and memory of a device are taken."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


class Bench:
    """Where results go, on which device, how large."""

    def __init__(self, output: Path, dry: bool) -> None:
        self.dry = dry
        self.device = torch.device("cpu" if dry else "cuda")
        self.file = output.open("a", encoding="utf-8")
        self.peak = 1e12  # FLOP/s measured, until `environment` has measured it
        self.began = time.perf_counter()

    def say(self, part: str, **figures: Any) -> None:
        line = {"part": part, "at": round(time.perf_counter() - self.began, 1), **figures}
        text = json.dumps(line, default=str)
        self.file.write(text + "\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        print(text, flush=True)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], repeats: int, warm: int = 2) -> tuple[float, float]:
        """Median seconds of one call by wall clock between two waits for the device, and of its host part."""
        for _ in range(warm):
            work()
        self.wait()
        whole, host = [], []
        for _ in range(1 if self.dry else repeats):
            start = time.perf_counter()
            work()
            host.append(time.perf_counter() - start)
            self.wait()
            whole.append(time.perf_counter() - start)
        return statistics.median(whole), statistics.median(host)

    def event_seconds(self, work: Callable[[], Any], repeats: int = 20, warm: int = 3) -> float:
        """Median seconds of one call, between two events on the device's stream."""
        if self.dry:
            return self.seconds(work, 1, 1)[0]
        for _ in range(warm):
            work()
        torch.cuda.synchronize()
        pairs = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeats)]
        for first, last in pairs:
            first.record()
            work()
            last.record()
        torch.cuda.synchronize()
        return statistics.median(first.elapsed_time(last) for first, last in pairs) / 1000

    def reset_peak(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_gib(self) -> float:
        return torch.cuda.max_memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0
