"""``python -m pretraining.plan --config RECIPE --gpus 64 --gpu h100``: memory, FLOPs and hours before a run is
submitted.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from pretraining.configuration.recipe import recipe_of, recipe_parser
from pretraining.configuration.tables import Recipe
from pretraining.data.batching import micro_batches_per_rank
from pretraining.errors import PretrainingError
from pretraining.model.config import PUBLISHED_VOCABULARY, BertConfig
from pretraining.planning.flops import DATASHEET_MEMORY, DATASHEET_TFLOPS, Work, training_flops
from pretraining.planning.memory import Memory, memory_per_rank, parameter_count

# Without shards at hand: 85 % of the tokens of a full sequence are there on average, 15 % of them masked.
_ASSUMED_FILL, _ASSUMED_MASKED = 0.85, 0.15


@dataclass(frozen=True)
class Plan:
    """What a run will need; bytes per rank, FLOPs and hours of the whole run."""

    parameters: int
    ranks: int
    micro_batches: int
    batch: Work  # expected, of one global batch
    flops: float  # of all the recipe's steps
    hours: float  # a schedule bounded by time ends earlier than its steps
    mfu: float
    peak_tflops: float  # of one device
    memory: dict[int, Memory]  # by ZeRO stage
    device_bytes: int


def make_plan(recipe: Recipe, ranks: int, gpu: str, mfu: float, work_of_example: Work | None = None) -> Plan:
    """``work_of_example``: mean of 1000 examples as the shards' manifest says; assumed where None."""
    if gpu not in DATASHEET_TFLOPS:
        raise PretrainingError(f"no datasheet figures for {gpu!r}; known: {', '.join(DATASHEET_TFLOPS)}")
    if ranks < 1 or not 0 < mfu <= 1:
        raise PretrainingError(f"--gpus {ranks} and --mfu {mfu}: give at least one GPU and a share above 0 and up to 1")
    config = recipe.model.build(PUBLISHED_VOCABULARY)
    length, size = recipe.data.sequence_length, recipe.training.batch_size
    thousand = work_of_example or Work(
        tokens=round(1000 * _ASSUMED_FILL * length),
        squared_tokens=round(1000 * _ASSUMED_FILL * length * length),
        masked_tokens=round(1000 * _ASSUMED_FILL * length * _ASSUMED_MASKED),
        sequences=1000,
    )
    batch = Work(*(round(value * size / 1000) for value in asdict(thousand).values()))
    sixteen_bit, thirty_two_bit = DATASHEET_TFLOPS[gpu]
    peak = thirty_two_bit if recipe.training.precision == "fp32" else sixteen_bit
    if gpu == "v100" and recipe.training.precision == "bf16":
        raise PretrainingError("a V100 has no bfloat16: plan with --training.precision fp16")
    if peak is None:
        raise PretrainingError(f"no float32 figure for {gpu!r} in its datasheet; plan with training.precision bf16")
    micro_batches = micro_batches_per_rank(size, recipe.training.micro_batch_size, ranks)
    flops = training_flops(config, batch) * recipe.training.steps
    hours = flops / (ranks * peak * 1e12 * mfu) / 3600
    memory = {stage: _memory(recipe, config, stage, ranks, thousand) for stage in range(4)}
    return Plan(
        parameters=parameter_count(config),
        ranks=ranks,
        micro_batches=micro_batches,
        batch=batch,
        flops=flops,
        hours=min(hours, (recipe.schedule.seconds or float("inf")) / 3600),
        mfu=mfu,
        peak_tflops=peak,
        memory=memory,
        device_bytes=DATASHEET_MEMORY[gpu],
    )


def work_of_shards(recipe: Recipe) -> Work | None:
    """Mean work of 1000 examples of the recipe's shards, from their manifests; None where it names none."""
    if not recipe.data.shards:
        return None
    try:
        sets = [ShardSet.open(folder).records("train", recipe.data.sequence_length) for folder in recipe.data.shards]
        histograms = [records.length_histogram() for records in sets]
    except PreprocessingError as error:
        raise PretrainingError(str(error)) from error
    squared = sum(rows * length * length for histogram in histograms for length, rows in histogram.items())
    tokens, masked, rows = (
        sum(int(records.column(name).sum()) for records in sets) for name in ("tokens", "masked_tokens", "rows")
    )
    return Work(*(round(1000 * value / max(rows, 1)) for value in (tokens, squared, masked, rows)))


def _memory(recipe: Recipe, config: BertConfig, stage: int, ranks: int, thousand: Work) -> Memory:
    """With the fullest micro-batch that may come: every sequence as long as can be."""
    size, length = recipe.training.micro_batch_size, recipe.data.sequence_length
    zero = recipe.deepspeed.get("zero_optimization", {})
    return memory_per_rank(
        config,
        stage=stage,
        ranks=ranks,
        precision=recipe.training.precision,
        tokens=size * length,
        sequences=size,
        longest=length,
        masked=round(size * length * max(thousand.masked_tokens / thousand.tokens, 0.01)),
        checkpointing=recipe.model.activation_checkpointing,
        offload_optimizer=bool(zero.get("offload_optimizer")) and stage >= 1,
        bucket=int(float(zero.get("reduce_bucket_size", 5e8))),
        live_parameters=int(float(zero.get("stage3_max_live_parameters", 1e9))),
    )


def show(plan: Plan, recipe: Recipe, gpu: str) -> None:
    """Prints the plan as a table."""
    console = Console(highlight=False)
    console.print(
        f"{plan.parameters:,} parameters; {recipe.training.steps:,} steps of {recipe.training.batch_size:,} sequences "
        f"({plan.batch.tokens:,} real tokens); {plan.ranks} × {gpu}, {plan.micro_batches} micro-batches of "
        f"{recipe.training.micro_batch_size} per rank and step"
    )
    table = Table("stage", "weights", "grads", "moments", "buffers", "activations", "GiB a rank", "fits")
    for stage, memory in plan.memory.items():
        parts = (memory.weights, memory.gradients, memory.optimizer, memory.buffers, memory.activations, memory.total)
        fits = "yes" if memory.total < 0.9 * plan.device_bytes else "no"
        table.add_row(
            f"{stage}{' *' if stage == recipe.stage else ''}", *(f"{part / 2**30:.2f}" for part in parts), fits
        )
    console.print(table)
    console.print(
        f"{plan.flops:.3g} model FLOPs; at an MFU of {plan.mfu:.0%} of {plan.peak_tflops:,.0f} TFLOP/s: "
        f"{plan.hours:,.1f} hours, {plan.hours * plan.ranks:,.0f} GPU hours"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = recipe_parser("python -m pretraining.plan", "Memory, FLOPs and hours of a run before it is submitted.")
    parser.add_argument("--gpus", type=int, metavar="N", required=True, help="ranks of the run, one a GPU")
    parser.add_argument("--gpu", metavar="NAME", default="h100", help=f"one of {', '.join(DATASHEET_TFLOPS)}")
    parser.add_argument(
        "--mfu", type=float, metavar="X", default=0.4, help="share of the peak that you expect to reach"
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON: bytes, FLOPs, hours")
    try:
        known = parser.parse_args(arguments)
        recipe = recipe_of(known)
        plan = make_plan(recipe, known.gpus, known.gpu.lower(), known.mfu, work_of_shards(recipe))
    except PretrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if known.json:
        totals = {stage: {**asdict(memory), "total": memory.total} for stage, memory in plan.memory.items()}
        print(json.dumps({**asdict(plan), "memory": totals}))
    else:
        show(plan, recipe, known.gpu.lower())
    return 0


if __name__ == "__main__":
    sys.exit(main())
