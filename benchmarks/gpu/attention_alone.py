"""One layer's attention by every way: time, and whether its dropout is right."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.attention_routes import ON_CPU, ROUTES, direct, efficient, nested
from benchmarks.gpu.bench import Bench
from pretraining.model import attention_cuda
from pretraining.model.sequence_layout import SequenceLayout


def attention_alone(bench: Bench) -> None:
    """Forward and backward of one layer's attention; device time by events, and host time of a queue of calls."""
    heads, size = (2, 16) if bench.dry else (16, 64)
    for sequences, length in ((2, 8), (1, 16)) if bench.dry else ((64, 128), (16, 512)):
        generator = torch.Generator().manual_seed(0)
        short = torch.randint(8, length + 1, (sequences,), generator=generator)
        lengths = torch.where(torch.rand(sequences, generator=generator) < 0.8, length, short)
        cu = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]).int().to(bench.device)
        tokens = int(lengths.sum())
        layout = SequenceLayout.of(cu, length)
        flops = 3 * 4 * heads * size * float((lengths**2).sum())
        for dtype in (torch.bfloat16, torch.float32):
            qkv = torch.randn(tokens, 3, heads, size, device=bench.device, dtype=dtype, requires_grad=True)
            grad = torch.randn(tokens, heads, size, device=bench.device, dtype=dtype)
            for name, route in ROUTES.items() if not bench.dry else {"cpu": ON_CPU}.items():
                for dropout in (0.0, 0.1):
                    if (name == "varlen" and dropout) or (dtype == torch.float32 and name in ("varlen", "direct")):
                        continue
                    case = {
                        "route": name,
                        "dtype": str(dtype)[6:],
                        "batch": f"{sequences}x{length}",
                        "dropout": dropout,
                    }

                    def both(
                        route: Any = route,
                        dropout: float = dropout,
                        qkv: Any = qkv,
                        grad: Any = grad,
                        layout: Any = layout,
                    ) -> None:
                        qkv.grad = None
                        route(qkv, layout, dropout).backward(grad)

                    def forward(
                        route: Any = route, dropout: float = dropout, qkv: Any = qkv, layout: Any = layout
                    ) -> None:
                        route(qkv, layout, dropout)

                    try:
                        whole, ahead = bench.event_seconds(both, 20), bench.event_seconds(forward, 20)
                        _, host = bench.seconds(lambda: [both() for _ in range(10)], 3)
                        bench.say(
                            "attention",
                            **case,
                            both_us=whole * 1e6,
                            forward_us=ahead * 1e6,
                            host_us=host * 1e5,
                            tflops=flops / whole / 1e12,
                        )
                    except Exception as error:
                        bench.say("attention", **case, failed=repr(error)[:300])


def probe(bench: Bench) -> None:
    """Dropout of torch's kernels over packed sequences: are masks independent, and the same in the backward pass?"""
    if bench.dry:
        return
    eye, sequences, heads, p = 64, 4, 4, 0.25
    cu = torch.arange(0, (sequences + 1) * eye, eye, dtype=torch.int32, device="cuda")
    layout = SequenceLayout.of(cu, eye)
    for dtype in (torch.float32, torch.bfloat16):
        for name, route in {
            "efficient": efficient,
            "nested": nested,
            "direct": direct,
            "padded": attention_cuda.padded_attention,
        }.items():
            if name == "direct" and dtype == torch.float32:
                continue
            qkv = torch.zeros(sequences * eye, 3, heads, eye, device="cuda", dtype=dtype)
            qkv[:, 2] = torch.eye(eye, device="cuda", dtype=dtype).repeat(sequences, 1)[:, None]
            qkv.requires_grad_()
            torch.cuda.manual_seed(1)
            context = route(qkv, layout, p)
            identity = torch.eye(eye, device="cuda", dtype=dtype).repeat(sequences, 1)[:, None].expand(-1, heads, -1)
            context.backward(identity.contiguous())

            def masks(values: Tensor) -> Tensor:
                return values.detach().float().unflatten(0, (sequences, eye)).transpose(1, 2) != 0

            ahead, back = masks(context), masks(qkv.grad[:, 2]).mT  # the gradient of v is the transposed weights
            flat = ahead.flatten(0, 1).flatten(1)
            same = [bool(torch.equal(flat[0], other)) for other in flat[1:]]
            bench.say(
                "probe",
                route=name,
                dtype=str(dtype),
                dropped=1 - ahead.float().mean().item(),
                masks_equal_to_the_first=f"{sum(same)} of {len(same)}",
                backward_agrees=(ahead == back).float().mean().item(),
            )
