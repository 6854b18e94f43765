"""Training steps of BERT-Large: by way of attention, compiled, profiled, and as the repository is."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import functools
import time
from dataclasses import replace

import torch

from benchmarks.gpu.attention_routes import attending, direct, shipped
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.one_step import (
    CASES,
    DRY_CASES,
    count_syncs,
    engine_of,
    material,
    pinned,
    set_accumulation,
    step_figures,
)
from preprocessing.shards import ShardSet
from pretraining.model.bert import Layer
from pretraining.planning.memory import memory_per_rank


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
