"""A step through DeepSpeed as a recipe takes it, by optimiser: its rate, its update alone, its waits for the device."""

import importlib
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.workload import Case, made_up, planned_gib
from pretraining.configuration.tables import Recipe
from pretraining.model.bert import BertForPreTraining
from pretraining.planning.flops import training_flops

_MICRO_BATCHES = 2


def engine_step(bench: Bench, case: Case) -> None:
    """ZeRO stage 1 with one rank, bfloat16, two micro-batches, uncompiled: AdamW and LAMB."""
    importlib.import_module("deepspeed")  # where it is missing, that is why this part is skipped
    from pretraining.data.loader import GlobalBatch
    from pretraining.data.sampler import Position
    from pretraining.run.engine import start_engine, start_processes
    from pretraining.run.loop import train_step
    from pretraining.run.ranks import read_environment

    if not torch.distributed.is_initialized():
        alone = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
        start_processes(read_environment({k: v for k, v in alone.items() if not k.startswith("SLURM_")}))
    packed, work = made_up(case)
    whole = work + work
    batch = GlobalBatch(
        position=Position(),
        micro_batches=(packed if bench.dry else packed.pinned(),) * _MICRO_BATCHES,
        fingerprint=0,
        masked_tokens=whole.masked_tokens,
        sequences=whole.sequences,
        tokens=whole.tokens,
        squared_tokens=whole.squared_tokens,
        next_position=Position(),
    )
    for name in ("adamw", "lamb"):
        if not bench.has_time(10):
            bench.say("not reached", what=f"the engine with {name}")
            continue
        training = {"steps": 100, "batch_size": _MICRO_BATCHES, "micro_batch_size": 1, "precision": "bf16"}
        recipe = Recipe.model_validate({"training": training, "optimizer": {"name": name, "learning_rate": 1e-5}})
        others = bench.allocated_gib()
        torch.manual_seed(1)
        with bench.device:
            model = BertForPreTraining(case.config)
        engine = start_engine(recipe, model, 1, _MICRO_BATCHES, on_cpu=bench.dry)
        engine.train()
        update, times = engine.optimizer.step, list[float]()

        def timed(*arguments: Any, update: Any = update, times: list[float] = times, **named: Any) -> Any:
            bench.wait()
            start = time.perf_counter()
            result = update(*arguments, **named)
            bench.wait()
            times.append(time.perf_counter() - start)
            return result

        def step(engine: Any = engine) -> None:
            train_step(engine, batch, 1)

        step()
        own = bench.allocated_gib() - others
        peak = own + bench.peak_gib(step)
        seconds, host = bench.seconds(step, 5)
        waits = _waits(bench, step)
        engine.optimizer.step = timed
        for _ in range(1 if bench.dry else 5):
            step()
        flops = training_flops(case.config, whole) / seconds
        bench.say(
            "engine",
            case=case.name,
            optimizer=name,
            sequences=case.sequences,
            micro_batches=_MICRO_BATCHES,
            ms=seconds * 1e3,
            host_ms=host * 1e3,
            update_ms=statistics.median(times) * 1e3,
            tokens_per_second=whole.tokens / seconds,
            mfu=None if bench.datasheet_flops is None else flops / bench.datasheet_flops,
            mfu_measured_peak=flops / bench.ceilings.flops,
            peak_gib=peak if peak else None,
            planned_gib=planned_gib(case, work, stage=1),
            waits=waits,
        )
        engine.destroy()
        del engine, model, update, step, timed
        bench.free()


def _waits(bench: Bench, work: Callable[[], Any]) -> dict[str, int]:
    """Waits for the device that torch notices in one call, by the line of Python that caused them."""
    found: dict[str, int] = {}
    if bench.device.type != "cuda":
        work()
        return found
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
