"""What the project does on one GPU: `python -m benchmarks.gpu SHARDS OUTPUT.jsonl [--only PART] [--dry]`.

Every figure is written at once as one JSON line, and a part that fails is noted and passed over; --help names the
parts. SHARDS holds lengths 128 and 512. `--dry` does the same with tiny sizes on the CPU, to find mistakes where time
is cheap. What was seen: docs/gpu.md.
"""

# mypy: ignore-errors
# (it replaces parts of the model and of DeepSpeed while it measures, which types do not follow)

import contextlib
import functools
import gc
import json
import os
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from pretraining.configuration.tables import Recipe
from pretraining.data.examples import Examples
from pretraining.data.loader import GlobalBatch
from pretraining.data.sampler import Position
from pretraining.model import attention, attention_cuda
from pretraining.model.bert import BertForPreTraining, Layer
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch
from pretraining.model.sequence_layout import SequenceLayout
from pretraining.planning.flops import Work, datasheet_tflops, training_flops
from pretraining.planning.memory import memory_per_rank

VOCABULARY = 30522
RATES = ("tokens_per_second", "mfu_measured_peak")


# ---- the ways to compute attention that are compared -----------------------------------------------------------------


def varlen(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """torch's varlen kernel, as shipped in 45d4fd2 for half precision without dropout."""
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = qkv_t3hd.unbind(1)
    cu, longest = layout.cu_seqlens, layout.max_length
    return varlen_attn(query, key, value, cu, cu, longest, longest)


def nested(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """Jagged nested tensors, as shipped in 45d4fd2 for dropout and for float32."""
    query, key, value = (
        torch.nested.nested_tensor_from_jagged(
            part_thd.contiguous(), layout.cu_seqlens, min_seqlen=1, max_seqlen=layout.max_length
        ).transpose(1, 2)
        for part_thd in qkv_t3hd.unbind(1)
    )
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout).transpose(1, 2).values()


def shipped(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """The choice of 45d4fd2."""
    if dropout == 0.0 and qkv_t3hd.dtype in (torch.float16, torch.bfloat16):
        return varlen(qkv_t3hd, layout, dropout)
    return nested(qkv_t3hd, layout, dropout)


def direct(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """aten's flash operation, which has a gradient of its own and takes dropout."""
    query, key, value = qkv_t3hd.unbind(1)
    cu, longest = layout.cu_seqlens, layout.max_length
    return torch.ops.aten._flash_attention_forward(query, key, value, cu, cu, longest, longest, dropout, False, False)[
        0
    ]


def efficient(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
    """aten's memory-efficient operation: any precision, also before Ampere."""
    query, key, value = (part[None] for part in qkv_t3hd.unbind(1))
    cu, longest = layout.cu_seqlens, layout.max_length
    return torch.ops.aten._efficient_attention_forward(
        query, key, value, None, cu, cu, longest, longest, dropout, 0, True
    )[0][0]


ROUTES = {
    "varlen": varlen,
    "nested": nested,
    "direct": direct,
    "efficient": efficient,
    "padded": attention_cuda.padded_attention,
}
ON_CPU = attention.packed_attention


@contextlib.contextmanager
def attending(route: Callable[..., Tensor]) -> Iterator[None]:
    """The model's attention replaced, where the model looks it up."""
    from pretraining.model import bert as model

    def chosen(qkv_t3hd: Tensor, layout: SequenceLayout, dropout: float) -> Tensor:
        if route is ON_CPU or not qkv_t3hd.is_cuda:
            return ON_CPU(qkv_t3hd, layout, dropout)
        if qkv_t3hd.dtype == torch.float32 and route is direct:
            return efficient(qkv_t3hd, layout, dropout)
        return route(qkv_t3hd, layout, dropout)

    before = model.packed_attention
    model.packed_attention = chosen
    try:
        yield
    finally:
        model.packed_attention = before


# ---- measuring -------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True)
class Material:
    """The micro-batches of one optimiser step."""

    batch: GlobalBatch
    work: Work
    masked: int  # of the fullest micro-batch
    tokens: int  # likewise


def material(shards: ShardSet, length: int, size: int, micro_batches: int) -> Material:
    """The first examples of the shards, each micro-batch sorted by length as the loader does."""
    import numpy as np

    examples = Examples([shards], "train", length)
    packed, works = [], []
    for number in range(micro_batches):
        chosen = np.arange(number * size, (number + 1) * size) % len(examples)
        lengths, masked = examples.measure(chosen)
        packed.append(examples.pack(chosen[np.argsort(-lengths, kind="stable")]))
        works.append(Work(int(lengths.sum()), int((lengths**2).sum()), int(masked.sum()), size))
    work = sum(works[1:], works[0])
    counts = (work.masked_tokens, work.sequences, work.tokens, work.squared_tokens)
    batch = GlobalBatch(Position(), tuple(packed), 0, *counts, Position())
    return Material(batch, work, max(w.masked_tokens for w in works), max(w.tokens for w in works))


def pinned(batch: GlobalBatch) -> GlobalBatch:
    """The same batch in pinned memory."""

    def pin(packed: PackedBatch) -> PackedBatch:
        values = {field.name: getattr(packed, field.name) for field in fields(packed)}
        return replace(
            packed, **{name: value.pin_memory() for name, value in values.items() if isinstance(value, Tensor)}
        )

    return replace(batch, micro_batches=tuple(pin(packed) for packed in batch.micro_batches))


def engine_of(
    bench: Bench, size: str = "large", stage: int = 1, optimizer: str = "adamw", micro_batches: int = 1, **model: Any
) -> tuple[Any, BertForPreTraining]:
    """The project's own engine, as its recipes start it (one rank)."""
    from pretraining.run.engine import start_engine, start_processes
    from pretraining.run.ranks import read_environment

    start_processes(read_environment())
    recipe = Recipe.model_validate(
        {
            "training": {"steps": 1000, "batch_size": micro_batches, "micro_batch_size": 1, "precision": "bf16"},
            "optimizer": {"name": optimizer, "learning_rate": 1e-5},
            "deepspeed": {"zero_optimization": {"stage": stage}},
        }
    )
    torch.manual_seed(1)
    with bench.device:  # drawing 336 million weights on the CPU takes longer than measuring
        bert = BertForPreTraining(BertConfig.named("tiny" if bench.dry else size, vocab_size=VOCABULARY, **model))
    engine = start_engine(recipe, bert, 1, micro_batches, on_cpu=bench.dry)
    engine.train()
    return engine, bert


def set_accumulation(engine: Any, micro_batches: int) -> None:
    """Another number of micro-batches a step, so that one engine serves all cases."""
    engine.set_train_batch_size(micro_batches * engine.train_micro_batch_size_per_gpu())


def count_syncs(bench: Bench, work: Callable[[], Any]) -> dict[str, int]:
    """Waits for the device that torch notices in one call, by the line of Python that caused them."""
    if bench.dry:
        work()
        return {}
    found: dict[str, int] = {}
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for warning in caught:
        if "synchronizing" in str(warning.message):
            where = f"{'/'.join(warning.filename.split('/')[-3:])}:{warning.lineno}"
            found[where] = found.get(where, 0) + 1
    return found


def step_figures(
    bench: Bench, engine: Any, config: BertConfig, found: Material, batch: GlobalBatch, repeats: int
) -> dict[str, Any]:
    """Time, rate, memory of one optimiser step."""
    from pretraining.run.loop import train_step

    set_accumulation(engine, len(batch.micro_batches))
    bench.reset_peak()
    seconds, host = bench.seconds(lambda: train_step(engine, batch, 1), repeats)
    flops = training_flops(config, found.work)
    nominal = datasheet_tflops(torch.cuda.get_device_name(), "bf16") if not bench.dry else None
    return {
        "ms": seconds * 1e3,
        "host_ms": host * 1e3,
        "tokens": found.work.tokens,
        "tokens_per_second": found.work.tokens / seconds,
        "mfu_measured_peak": flops / seconds / bench.peak,
        "mfu_datasheet": None if nominal is None else flops / seconds / (nominal * 1e12),
        "peak_gib": bench.peak_gib(),
    }


CASES = ((128, 16, 4), (128, 64, 4), (128, 256, 2), (512, 16, 4), (512, 64, 2))
DRY_CASES = ((128, 2, 2), (512, 1, 1))


def steps(bench: Bench, shards: ShardSet, variants: tuple[str, ...] = ("shipped", "direct", "direct+pinned")) -> None:
    """BERT-Large, bf16, ZeRO stage 1, AdamW, dropout as published: the shipped way and others."""
    engine, model = engine_of(bench)
    config = model.config
    for length, size, micro_batches in DRY_CASES if bench.dry else CASES:
        found = material(shards, length, size, micro_batches)
        for variant in variants:
            case = {"variant": variant, "length": length, "micro_batch": size, "micro_batches": micro_batches}
            try:
                batch = pinned(found.batch) if "pinned" in variant and not bench.dry else found.batch
                with attending(shipped if "shipped" in variant else direct):
                    figures = step_figures(bench, engine, config, found, batch, 3)
                planned = memory_per_rank(
                    config,
                    stage=1,
                    ranks=1,
                    precision="bf16",
                    tokens=size * length,
                    sequences=size,
                    longest=length,
                    masked=found.masked,
                    flash=True,
                )
                bench.say("step", **case, **figures, planned_gib=planned.total / 2**30)
            except Exception as error:
                bench.say("step", **case, failed=repr(error)[:500])
                engine.optimizer.zero_grad()
    found = material(shards, 128, 2 if bench.dry else 64, 4)
    parts = [layer.attention for layer in model.bert.layers]
    for part in parts:
        part.probability_dropout = 0.0
    for variant, route in (("shipped", shipped), ("direct", direct)):
        with attending(route):
            figures = step_figures(bench, engine, config, found, found.batch, 3)
        bench.say(
            "step", variant=f"{variant}, no attention dropout", length=128, micro_batch=64, micro_batches=4, **figures
        )
    for part in parts:
        part.probability_dropout = config.attention_probs_dropout_prob
    for variant in ("shipped", "direct+pinned"):
        from pretraining.run.loop import train_step

        batch = pinned(found.batch) if "pinned" in variant and not bench.dry else found.batch
        set_accumulation(engine, 4)
        with attending(shipped if variant == "shipped" else direct):
            bench.say(
                "syncs",
                variant=variant,
                case="128x64, 4 micro-batches, one step",
                found=count_syncs(bench, lambda b=batch: train_step(engine, b, 1)),
            )
    engine.destroy()
    bench.reset_peak()


def profile(bench: Bench, shards: ShardSet) -> None:
    """One step of two micro-batches at 64 × 128 under torch's profiler: kernels, launches, copies."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from pretraining.run.loop import train_step

    engine, _ = engine_of(bench)
    found = material(shards, 128, 2 if bench.dry else 64, 2)
    set_accumulation(engine, 2)
    activities = [ProfilerActivity.CPU] + ([] if bench.dry else [ProfilerActivity.CUDA])
    for variant in ("direct+pinned", "shipped"):
        batch = pinned(found.batch) if "pinned" in variant and not bench.dry else found.batch
        with attending(shipped if variant == "shipped" else direct):
            train_step(engine, batch, 1)
            bench.wait()
            with profiler(activities=activities) as recorded:
                train_step(engine, batch, 1)
                bench.wait()
        averages = recorded.key_averages()
        kernels = sorted(
            (event for event in averages if event.device_type != torch.autograd.DeviceType.CPU),
            key=lambda event: -event.self_device_time_total,
        )
        total = sum(event.self_device_time_total for event in kernels)
        bench.say(
            "profile",
            variant=variant,
            kernels=sum(e.count for e in kernels),
            device_ms=total / 1e3,
            top=[[e.key[:110], e.count, round(e.self_device_time_total / 1e3, 3)] for e in kernels[:28]],
        )
        calls = [e for e in averages if e.key.startswith("cuda") or e.key.startswith("cu")]
        bench.say(
            "profile calls",
            variant=variant,
            calls={e.key: [e.count, round(e.self_cpu_time_total / 1e3, 3)] for e in calls},
        )
    engine.destroy()
    bench.reset_peak()


def compiled(bench: Bench, shards: ShardSet) -> None:
    """Each layer compiled, with direct attention and pinned batches."""
    import torch._dynamo as dynamo
    from torch._dynamo.utils import counters

    engine, model = engine_of(bench)
    for module in model.modules():
        if isinstance(module, Layer):
            module.compile(dynamic=True)
    for length, size, micro_batches in DRY_CASES if bench.dry else (CASES[1], CASES[4], CASES[2]):
        found = material(shards, length, size, micro_batches)
        batch = found.batch if bench.dry else pinned(found.batch)
        counters.clear()
        case = {
            "variant": "direct+pinned+compiled layers",
            "length": length,
            "micro_batch": size,
            "micro_batches": micro_batches,
        }
        try:
            with attending(direct):
                start = time.perf_counter()
                from pretraining.run.loop import train_step

                set_accumulation(engine, micro_batches)
                train_step(engine, batch, 1)
                bench.wait()
                first = time.perf_counter() - start
                figures = step_figures(bench, engine, model.config, found, batch, 5)
            bench.say(
                "step",
                **case,
                **figures,
                first_seconds=first,
                stats=dict(counters["stats"]),
                breaks=dict(counters["graph_break"]),
            )
        except Exception as error:
            bench.say("step", **case, failed=repr(error)[:800])
    engine.destroy()
    dynamo.reset()
    bench.reset_peak()


def transformers_beside(bench: Bench, shards: ShardSet) -> None:
    """Plain torch loops, bf16 autocast, fused AdamW: `transformers` (sdpa, padded) and ours on the same examples."""
    import tempfile

    import transformers

    from benchmarks.step_time import padded_inputs
    from pretraining.model.huggingface import export_bert

    torch.manual_seed(1)
    config = BertConfig.named("tiny" if bench.dry else "large", vocab_size=VOCABULARY)
    with bench.device:
        ours = BertForPreTraining(config)
    with tempfile.TemporaryDirectory() as folder:
        export_bert(ours, Path(folder))
        theirs: Any = transformers.BertForPreTraining.from_pretrained(folder, attn_implementation="sdpa")
    models = {"ours": ours.to(bench.device).train(), "transformers": theirs.to(bench.device).train()}
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True) for name, model in models.items()}
    for length, size in ((128, 2),) if bench.dry else ((128, 64), (512, 16)):
        found = material(shards, length, size, 1)
        packed = found.batch.micro_batches[0]
        here = packed.to(bench.device)
        padded = {name: value.to(bench.device) for name, value in padded_inputs(packed).items()}

        def step(name: str, here: Any = here, padded: Any = padded) -> None:
            with torch.autocast(bench.device.type, torch.bfloat16):
                if name == "transformers":
                    loss = models[name](**padded).loss
                else:
                    sums = models[name](here)
                    loss = sums.loss(sums.masked_tokens, sums.sequences)
            loss.backward()
            optimizers[name].step()
            optimizers[name].zero_grad()

        seconds: dict[str, list[float]] = {"transformers": [], "ours direct": [], "ours mended": []}
        peaks: dict[str, float] = {}
        for name in seconds:  # rounds alternate, so that all see the same machine
            with attending(ON_CPU if name.endswith("mended") else direct):
                bench.reset_peak()
                bench.seconds(functools.partial(step, name.split()[0]), 1, 2)
                peaks[name] = bench.peak_gib()
        for _ in range(4):
            for name, times in seconds.items():
                with attending(ON_CPU if name.endswith("mended") else direct):
                    times.append(bench.seconds(functools.partial(step, name.split()[0]), 3, 1)[0])
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        bench.say(
            "transformers",
            batch=f"{size}x{length}",
            padded_tokens=int(padded["input_ids"].numel()),
            real_tokens=packed.tokens,
            ms={name: value * 1e3 for name, value in medians.items()},
            spread_ms={name: [min(times) * 1e3, max(times) * 1e3] for name, times in seconds.items()},
            theirs_over_ours={name: medians["transformers"] / value for name, value in medians.items()},
            tokens_per_second={name: packed.tokens / value for name, value in medians.items()},
            peak_gib=peaks,
        )
    bench.reset_peak()


def optimiser(bench: Bench, shards: ShardSet) -> None:
    """The update alone: AdamW and LAMB at stages 0 and 1, plain torch beside; and a whole step at stages 0 to 3."""
    from pretraining.run.loop import train_step

    found = material(shards, 128, 2 if bench.dry else 64, 1)
    for stage, name in ((1, "adamw"), (1, "lamb"), (0, "lamb"), (3, "adamw"), (0, "adamw")):
        try:
            engine, model = engine_of(bench, stage=stage, optimizer=name)
            batch = found.batch if bench.dry else pinned(found.batch)
            with attending(direct):
                figures = step_figures(bench, engine, model.config, found, batch, 4)
                set_accumulation(engine, 1)

                def forward_backward(engine: Any = engine, batch: Any = batch) -> None:
                    sums = engine(batch.micro_batches[0].to(engine.device, non_blocking=True))
                    loss = sums.loss(batch.masked_tokens, batch.sequences)
                    engine.backward(loss, scale_wrt_gas=False)

                updates, hosts = [], []
                for _ in range(4):
                    forward_backward()
                    bench.wait()
                    start = time.perf_counter()
                    engine.step()
                    hosts.append(time.perf_counter() - start)
                    bench.wait()
                    updates.append(time.perf_counter() - start)
                syncs = count_syncs(bench, lambda e=engine, b=batch: train_step(e, b, 1))
            planned = memory_per_rank(
                model.config,
                stage=stage,
                ranks=1,
                precision="bf16",
                tokens=(64 * 128),
                sequences=64,
                longest=128,
                masked=found.masked,
                flash=True,
            )
            bench.say(
                "optimiser",
                stage=stage,
                optimizer=name,
                update_ms=statistics.median(updates) * 1e3,
                update_host_ms=statistics.median(hosts) * 1e3,
                syncs=syncs,
                planned_gib=planned.total / 2**30,
                **figures,
            )
            engine.destroy()
            del engine, model
        except Exception as error:
            bench.say("optimiser", stage=stage, optimizer=name, failed=repr(error)[:500])
            traceback.print_exc()
        bench.reset_peak()
    torch.manual_seed(1)
    with bench.device:
        model = BertForPreTraining(BertConfig.named("tiny" if bench.dry else "large"))
    plain = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    seconds = bench.event_seconds(plain.step, 5)
    bench.say("optimiser", optimizer="torch AdamW fused, no engine, no clipping", update_ms=seconds * 1e3)
    bench.reset_peak()


def mended(bench: Bench, shards: ShardSet) -> None:
    """The repository as it is: its own attention, pinned batches; then the whole model compiled, as a recipe asks."""
    from torch._dynamo.utils import counters

    from pretraining.run.loop import train_step

    for how in ("plain", "compiled"):
        engine, model = engine_of(bench)
        if how == "compiled":
            model.compile(dynamic=True)
        cases = DRY_CASES if bench.dry else (CASES if how == "plain" else (CASES[1], CASES[2], CASES[4]))
        if how == "plain" and not bench.dry:
            cases = (*cases, (128, 640, 2))
        for length, size, micro_batches in cases:
            case = {"variant": f"mended, {how}", "length": length, "micro_batch": size, "micro_batches": micro_batches}
            try:
                found = material(shards, length, size, micro_batches)
                packed = found.batch.micro_batches
                batch = (
                    found.batch if bench.dry else replace(found.batch, micro_batches=tuple(b.pinned() for b in packed))
                )
                counters.clear()
                set_accumulation(engine, micro_batches)
                start = time.perf_counter()
                train_step(engine, batch, 1)
                bench.wait()
                first = time.perf_counter() - start
                figures = step_figures(bench, engine, model.config, found, batch, 5)
                planned = memory_per_rank(
                    model.config,
                    stage=1,
                    ranks=1,
                    precision="bf16",
                    tokens=found.tokens,
                    sequences=size,
                    longest=length,
                    masked=found.masked,
                )
                extra = {"stats": dict(counters["stats"]), "breaks": list(counters["graph_break"])}
                bench.say(
                    "step",
                    **case,
                    **figures,
                    first_seconds=first,
                    planned_gib_real_tokens=planned.total / 2**30,
                    **(extra if how == "compiled" else {}),
                )
            except Exception as error:
                bench.say("step", **case, failed=repr(error)[:800])
        if not bench.dry:
            set_accumulation(engine, len(batch.micro_batches))
            bench.say(
                "syncs",
                variant=f"mended, {how}",
                found=count_syncs(bench, functools.partial(train_step, engine, batch, 1)),
            )
        engine.destroy()
        bench.reset_peak()
    torch._dynamo.reset()


def updates(bench: Bench) -> None:
    """LAMB's update alone, stages 0 and 1, BERT-Large."""
    for stage in (0, 1):
        engine, model = engine_of(bench, stage=stage, optimizer="lamb")
        set_accumulation(engine, 1)
        tiny = PackedBatch.from_sequences([list(range(5, 25))] * 2, [10, 10], is_random_next=[0, 1])
        tiny = replace(tiny, masked_indices_m=torch.arange(4), masked_labels_m=torch.arange(4)).to(bench.device)
        times = []
        for _ in range(5):
            sums = engine(tiny)
            engine.backward(sums.mlm_loss_sum + sums.nsp_loss_sum, scale_wrt_gas=False)
            bench.wait()
            start = time.perf_counter()
            engine.step()
            bench.wait()
            times.append(time.perf_counter() - start)
        bench.say(
            "optimiser", variant="mended", stage=stage, optimizer="lamb", update_ms=statistics.median(times) * 1e3
        )
        engine.destroy()
        del engine, model
        bench.reset_peak()


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


def finetuning(bench: Bench) -> None:
    """A training step of a sentence task, BERT-Large, 64 × 128: float32, TF32, bfloat16."""
    import numpy as np

    from finetuning.kinds.batches import collate
    from finetuning.kinds.encoding.layout import EncodedSplit
    from finetuning.kinds.encoding.truncation import cut_of
    from finetuning.kinds.model import TaskModel
    from finetuning.kinds.registry import kind_named
    from pretraining.model.bert import BertModel

    count, length = (2, 16) if bench.dry else (64, 128)
    random = np.random.default_rng(0)
    split = EncodedSplit(
        random.integers(5, 1000, count * length).astype(np.int32),
        np.arange(count + 1) * length,
        np.full(count, length // 2, np.int32),
        np.arange(count),
        random.integers(0, 2, count),
        cut_of(np.zeros(count, np.int64), count * length, length, length),
    )
    torch.manual_seed(1)
    kind = kind_named("classification")
    with bench.device:
        model = TaskModel(BertModel(BertConfig.named("tiny" if bench.dry else "large")), kind, 2)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    for what, route in (
        ("fp32", ON_CPU),
        ("tf32", ON_CPU),
        ("bf16", ON_CPU),
    ):
        torch.backends.cuda.matmul.allow_tf32 = what == "tf32"

        def step(what: str = what) -> None:
            batch = collate(split, np.arange(count)).to(bench.device)
            with torch.autocast(bench.device.type, torch.bfloat16, enabled=what == "bf16"):
                logits = model(batch)
            kind.loss_sum(logits, batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        with attending(route):
            bench.reset_peak()
            seconds, host = bench.seconds(step, 4)
            bench.say(
                "finetuning",
                precision=what,
                attention=route.__name__,
                ms=seconds * 1e3,
                host_ms=host * 1e3,
                peak_gib=bench.peak_gib(),
                syncs=count_syncs(bench, step),
            )
    torch.backends.cuda.matmul.allow_tf32 = False
    bench.reset_peak()


PARTS: dict[str, Callable[[Bench, ShardSet], None]] = {
    "environment": lambda bench, shards: environment(bench),
    "attention": lambda bench, shards: attention_alone(bench),
    "step": steps,
    "transformers": transformers_beside,
    "compiled": compiled,
    "profile": profile,
    "optimiser": optimiser,
    "finetuning": lambda bench, shards: finetuning(bench),
    "products": lambda bench, shards: products(bench),
    "probe": lambda bench, shards: probe(bench),
    "mended": mended,
    "updates": lambda bench, shards: updates(bench),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.gpu", "What the project does on one GPU, measured part by part.")
    parser.add_argument("shards", type=Path, help="folder of a build of lengths 128 and 512")
    parser.add_argument("output", type=Path, help="file to which the figures are appended, one JSON object a line")
    text = f"measure this part only; may be repeated. Parts: {', '.join(PARTS)}"
    parser.add_argument("--only", metavar="PART", choices=PARTS, action="append", help=text)
    parser.add_argument("--dry", action="store_true", help="the same with tiny sizes on the CPU")
    try:
        arguments = parser.parse_args(argv)
        shards = ShardSet.open(arguments.shards)
    except PreprocessingError as error:
        print(f"benchmarks.gpu: {error}", file=sys.stderr)
        return error.exit_code
    bench = Bench(arguments.output, arguments.dry)
    torch.set_num_threads(8 if not arguments.dry else 2)
    for name, part in PARTS.items():
        if arguments.only and name not in arguments.only:
            continue
        start = time.perf_counter()
        try:
            part(bench, shards)
        except Exception as error:
            bench.say(name, failed=repr(error)[:800])
            traceback.print_exc()
        bench.reset_peak()
        bench.say("timing", of=name, seconds=time.perf_counter() - start)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
