"""One layer's attention, forward and backward, as the model calls it: by precision, length and dropout."""

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.workload import Case, made_up
from pretraining.model.attention import packed_attention
from pretraining.model.sequence_layout import SequenceLayout


def attention_alone(bench: Bench, cases: tuple[Case, ...]) -> None:
    """Time on the device between two events, time of the host, and the rate of useful FLOPs."""
    for case in cases:
        batch, work = made_up(case)
        config = case.config
        heads, size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        layout = SequenceLayout.of(batch.cu_seqlens.to(bench.device), batch.max_length)
        flops = 3 * 4 * config.hidden_size * work.squared_tokens
        for dtype in (torch.bfloat16, torch.float32):
            shape = (work.tokens, 3, heads, size)
            qkv = torch.randn(shape, device=bench.device, dtype=dtype, requires_grad=True)
            grad = torch.randn(work.tokens, heads, size, device=bench.device, dtype=dtype)
            for dropout in (0.0, config.attention_probs_dropout_prob):

                def both(
                    qkv: torch.Tensor = qkv,
                    grad: torch.Tensor = grad,
                    layout: SequenceLayout = layout,
                    dropout: float = dropout,
                ) -> None:
                    qkv.grad = None
                    packed_attention(qkv, layout, dropout).backward(grad)

                seconds = bench.event_seconds(both)
                _, host = bench.seconds(both, 5)
                bench.say(
                    "attention",
                    case=case.name,
                    sequences=case.sequences,
                    dtype=str(dtype).removeprefix("torch."),
                    dropout=dropout,
                    us=seconds * 1e6,
                    host_us=host * 1e6,
                    tflops=flops / seconds / 1e12,
                )
