"""What one optimiser step of pretraining is made of: micro-batches, engine; and the figures of a step."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.bench import Bench
from preprocessing.shards import ShardSet
from pretraining.configuration.tables import Recipe
from pretraining.data.examples import Examples
from pretraining.data.loader import GlobalBatch
from pretraining.data.sampler import Position
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch
from pretraining.planning.flops import Work, datasheet_tflops, training_flops

VOCABULARY = 30522
RATES = ("tokens_per_second", "mfu_measured_peak")
CASES = ((128, 16, 4), (128, 64, 4), (128, 256, 2), (512, 16, 4), (512, 64, 2))
DRY_CASES = ((128, 2, 2), (512, 1, 1))


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
