"""What the CPU can do at most with this process's threads, which no datasheet says: measured."""

import time
from collections.abc import Callable

import torch

from pretraining.model.linear import onednn_serves, product


def measure_matmul_tflops(dtype: torch.dtype, seconds: float = 0.3, size: int = 1024) -> float:
    """Measured peak of square matrix products on the CPU with this process's threads: the best of several, and of both
    libraries where the model has the choice.
    """
    generator = torch.Generator().manual_seed(0)  # not the run's own: it is measured after a resumed state is restored
    left, right = (torch.randn(size, size, dtype=dtype, generator=generator) for _ in range(2))
    best, deadline = 0.0, time.perf_counter() + seconds
    multiplications: list[Callable[..., torch.Tensor]] = [torch.mm]
    if onednn_serves(left, right):
        multiplications.append(product)
    while best == 0.0 or time.perf_counter() < deadline:
        for multiply in multiplications:
            start = time.perf_counter()
            multiply(left, right)
            best = max(best, 2.0 * size**3 / (time.perf_counter() - start) / 1e12)
    return best
