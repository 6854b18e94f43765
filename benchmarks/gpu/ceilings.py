"""What the device can do at most: products of matrices, copies; and the products of BERT-Large."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import contextlib
import os

import torch
import torch.nn.functional as F

from benchmarks.gpu.bench import Bench


def environment(bench: Bench) -> None:
    """Versions, and what the device can do at most."""
    import platform

    versions = {"torch": torch.__version__, "python": platform.python_version(), "cuda": torch.version.cuda}
    for name in ("deepspeed", "transformers", "triton", "numpy"):
        with contextlib.suppress(Exception):
            versions[name] = __import__(name).__version__
    name = "cpu"
    if not bench.dry:
        properties = torch.cuda.get_device_properties(0)
        name = properties.name
        versions |= {"capability": torch.cuda.get_device_capability(), "memory": properties.total_memory}
        versions["flash_schema"] = str(torch.ops.aten._flash_attention_forward.default._schema)
        versions["efficient_schema"] = str(torch.ops.aten._efficient_attention_forward.default._schema)
    bench.say("environment", device=name, cores=os.cpu_count(), **versions)
    size = 256 if bench.dry else 8192
    for dtype, tf32 in ((torch.bfloat16, False), (torch.float16, False), (torch.float32, True), (torch.float32, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        left, right = (torch.randn(size, size, device=bench.device, dtype=dtype) for _ in range(2))
        times = [bench.event_seconds(lambda a=left, b=right: a @ b, 10) for _ in range(2)]
        tflops = [2 * size**3 / seconds / 1e12 for seconds in times]
        bench.say("ceiling", what=f"{size}^3 product", dtype=str(dtype), tf32=tf32, tflops=tflops)
        if dtype == torch.bfloat16:
            bench.peak = max(tflops) * 1e12
    torch.backends.cuda.matmul.allow_tf32 = False
    source = torch.empty((1 << 20) if bench.dry else (1 << 32), dtype=torch.uint8, device=bench.device).random_()
    target = torch.empty_like(source)
    seconds = bench.event_seconds(lambda: target.copy_(source), 10)
    bench.say("ceiling", what="device copy, read and written", tb_per_second=2 * source.numel() / seconds / 1e12)


def products(bench: Bench) -> None:
    """The matrix products of a BERT-Large layer and of the decoder, forward, in bfloat16."""
    tokens = 64 if bench.dry else 8192
    masked = tokens * 15 // 100
    for what, m, k, n in (
        ("qkv", tokens, 1024, 3072),
        ("output", tokens, 1024, 1024),
        ("intermediate", tokens, 1024, 4096),
        ("feed-forward output", tokens, 4096, 1024),
        ("decoder 30522", masked, 1024, 30522),
        ("decoder 30528", masked, 1024, 30528),
        ("decoder 30522 grad w", 30522, masked, 1024),
        ("decoder 30528 grad w", 30528, masked, 1024),
        ("decoder 30522 grad x", masked, 30522, 1024),
        ("decoder 30528 grad x", masked, 30528, 1024),
    ):
        left = torch.randn(m, k, device=bench.device, dtype=torch.bfloat16)
        right = torch.randn(n, k, device=bench.device, dtype=torch.bfloat16)
        if what.endswith("grad w"):
            left = torch.randn(k, m, device=bench.device, dtype=torch.bfloat16).t()
            right = torch.randn(k, n, device=bench.device, dtype=torch.bfloat16).t()
        if what.endswith("grad x"):
            right = torch.randn(k, n, device=bench.device, dtype=torch.bfloat16).t()
        seconds = bench.event_seconds(lambda a=left, b=right: F.linear(a, b), 20)
        bench.say("products", what=what, shape=[m, k, n], us=seconds * 1e6, tflops=2 * m * k * n / seconds / 1e12)
