"""A product of two matrices on every device: is it right, and is the device as fast as the others?"""

import statistics
import time
from collections.abc import Sequence

import torch

from cluster.checks.meeting import Finding

REPEATS, SECONDS = 5, 0.3
"""The best of so many timings, over so long at least: an idle device needs some time to come up to its clock."""
SAMPLED = 64
"""Rows and columns of the product that are compared, spread over all of it."""


class Product(Finding):
    """The best of some timings, and what was wrong, if anything was."""

    device: str
    size: int
    dtype: str
    tflops: float
    wrong: str = ""


def device_name(device: torch.device) -> str:
    """``GPU 3 (NVIDIA H100)`` or ``CPU``."""
    if device.type != "cuda":
        return "CPU"
    return f"GPU {device.index} ({torch.cuda.get_device_name(device)})"


def measure(host: str, rank: int, device: torch.device) -> Product:
    """Multiplies on `device`: bfloat16 [8192, 8192] on a GPU, float32 [1024, 1024] on a CPU.

    The entries are whole numbers from −2 to 2, so partial sums are exact in float32 in whatever order they are added.
    """
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    generator = torch.Generator().manual_seed(rank)
    left, right = (
        torch.randint(-2, 3, (size, size), generator=generator, dtype=torch.int8).to(device, dtype) for _ in range(2)
    )
    product = left @ right
    seconds: list[float] = []
    while len(seconds) < REPEATS or sum(seconds) < SECONDS:
        _synchronize(device)
        started = time.perf_counter()
        product = left @ right
        _synchronize(device)
        seconds.append(time.perf_counter() - started)
    return Product(
        host=host,
        rank=rank,
        device=device_name(device),
        size=size,
        dtype=str(dtype).removeprefix("torch."),
        tflops=2 * size**3 / min(seconds) / 1e12,
        wrong=difference(left, right, product),
    )


def difference(left: torch.Tensor, right: torch.Tensor, product: torch.Tensor) -> str:
    """Where `product` [n, n] is not left @ right, by a sample in float64 on the CPU; empty where it is.

    What is allowed is the rounding to the product's own type: four units in the last place of the largest entry.
    """
    step = max(1, len(product) // SAMPLED)
    expected = left[::step].cpu().double() @ right[:, ::step].cpu().double()
    found = product[::step, ::step].cpu().double()
    error = (found - expected).abs().nan_to_num(nan=torch.inf)
    if error.max() <= 4 * torch.finfo(product.dtype).eps * expected.abs().max():
        return ""
    row, column = divmod(int(error.argmax()), error.shape[1])
    is_, should_be = found[row, column].item(), expected[row, column].item()
    return f"entry [{row * step}, {column * step}] is {is_:g} and not {should_be:g}"


def faults(findings: Sequence[Product], slow: float) -> list[str]:
    """A sentence for every device that multiplies wrongly, or slower than `slow` times the median of all."""
    sentences = [
        f"{product.host}, {product.device}: the product of two matrices is wrong ({product.wrong}); leave the node out "
        f"(`--exclude={product.host}`) and have the device examined"
        for product in findings
        if product.wrong
    ]
    median = statistics.median(product.tflops for product in findings)
    return sentences + [
        f"{product.host}, {product.device}: {product.tflops:.3g} TFLOP/s, {product.tflops / median:.0%} of the median "
        f"of all devices ({median:.3g}); see whether it is hot, throttled or used by another program, or leave the "
        f"node out (`--exclude={product.host}`)"
        for product in findings
        if product.tflops < slow * median
    ]


def summary(findings: Sequence[Product]) -> str:
    """Slowest and median device."""
    slowest = min(findings, key=lambda product: product.tflops)
    median = statistics.median(product.tflops for product in findings)
    return (
        f"{slowest.dtype} {slowest.size}³, median {median:.3g} TFLOP/s, slowest {slowest.tflops:.3g} ({slowest.host}, "
        f"{slowest.device})"
    )


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
