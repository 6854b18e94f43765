"""What a device can do at most where no datasheet says it: measured."""

import time
from collections.abc import Callable

import torch

from pretraining.model.linear import onednn_serves, product

_CPU = torch.device("cpu")


def measure_matmul_tflops(
    dtype: torch.dtype, seconds: float = 0.3, size: int | None = None, device: torch.device = _CPU
) -> float:
    """Measured peak in TFLOP/s of square matrix products: the best of several. On the CPU with this process's threads,
    and by both libraries where the model has the choice. `size`: left out, 1024 on the CPU and 8192 on a GPU.
    """
    size = size or (1024 if device.type == "cpu" else 8192)
    # not the run's own: it is measured after a resumed state is restored
    generator = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(size, size, dtype=dtype, generator=generator, device=device) for _ in range(2))
    best, deadline = 0.0, time.perf_counter() + seconds
    multiplications: list[Callable[..., torch.Tensor]] = [torch.mm]
    if onednn_serves(left, right):
        multiplications.append(product)
    while best == 0.0 or time.perf_counter() < deadline:
        for multiply in multiplications:
            start = time.perf_counter()
            multiply(left, right)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = max(best, 2.0 * size**3 / (time.perf_counter() - start) / 1e12)
    return best
