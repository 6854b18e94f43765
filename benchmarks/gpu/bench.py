"""Where figures go, how time and memory of a device are taken, and how much time is left."""

import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.kernel_gaps import Ceilings


class Bench:
    """The device, the file that figures go to at once, and the clock of the part that is being measured."""

    def __init__(self, file: Path, *, dry: bool, seconds: float) -> None:
        self.dry = dry
        self.device = torch.device("cpu" if dry else "cuda")
        self.ceilings = Ceilings(flops=1e12, bytes=1e10)  # until they have been measured
        self.datasheet_flops: float | None = None
        self.lines: list[dict[str, Any]] = []
        self._file = file.open("a", encoding="utf-8")
        self._began = time.perf_counter()
        self._end = self._part_end = self._began + seconds

    def say(self, part: str, **figures: Any) -> None:
        """One line of JSON, on disk before anything else happens."""
        line = {"part": part, "at": round(time.perf_counter() - self._began, 1), **figures}
        self.lines.append(line)
        text = json.dumps(line, default=str)
        self._file.write(text + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        print(text, flush=True)

    def begin_part(self, seconds: float) -> bool:
        """Gives a part so many seconds, fewer where the whole has fewer left; False where none are left."""
        self._part_end = min(self._end, time.perf_counter() + seconds)
        return self.has_time()

    def has_time(self, seconds: float = 0.0) -> bool:
        """True while the part has more than so many seconds left."""
        return self._part_end - time.perf_counter() > seconds

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], repeats: int) -> tuple[float, float]:
        """Median seconds of a call between two waits for the device, and of its host part."""
        whole, host = [], []
        for _ in range(1 if self.dry else repeats):
            self.wait()
            start = time.perf_counter()
            work()
            host.append(time.perf_counter() - start)
            self.wait()
            whole.append(time.perf_counter() - start)
        return statistics.median(whole), statistics.median(host)

    def event_seconds(self, work: Callable[[], Any], repeats: int = 20, warm: int = 3) -> float:
        """Median seconds of a call between two events on the device's stream."""
        for _ in range(1 if self.dry else warm):
            work()
        if self.device.type != "cuda":
            return self.seconds(work, 1)[0]
        torch.cuda.synchronize()
        pairs = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeats)]
        for first, last in pairs:
            first.record()
            work()
            last.record()
        torch.cuda.synchronize()
        return statistics.median(first.elapsed_time(last) for first, last in pairs) / 1000

    def allocated_gib(self) -> float:
        """GiB of tensors on the device; 0 on the CPU."""
        return torch.cuda.memory_allocated() / 2**30 if self.device.type == "cuda" else 0.0

    def peak_gib(self, work: Callable[[], Any]) -> float:
        """GiB that a call takes at most beyond what is allocated before it; 0 on the CPU."""
        if self.device.type != "cuda":
            work()
            return 0.0
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**30

    def free(self) -> None:
        """Gives memory of what is no longer referred to back to the device."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
