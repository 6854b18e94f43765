"""Pretraining next to what people use: `python -m benchmarks.pretraining [SHARDS] [--only CASE]`.

SHARDS holds lengths 128 and 512; without it, synthetic shards of a published vocabulary's size are made. All ratios
are from within one run. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.command import benchmark_parser, run
from benchmarks.loader import measure as measure_loader
from benchmarks.loader import order_seconds
from benchmarks.step_time import CASES, measure_steps, our_step
from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from pretraining.data.examples import Examples
from pretraining.data.loader import Loader, prefetch
from pretraining.data.sampler import Position, Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig

THREADS = 2


def data_wait_share(shard_set: ShardSet, steps: int = 12) -> float:
    """Share of a step spent waiting for data, for the smallest model of the table, which asks for it most often."""
    examples = Examples([shard_set], "train", 128)
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    loader = Loader(examples, sampler, 32, 1, 0, 1, 256, dropout_seed=1)
    model = BertForPreTraining(BertConfig.named("mini", vocab_size=max(30522, shard_set.manifest.vocabulary_size)))
    waiting, start = 0.0, time.perf_counter()
    batches = prefetch(loader, Position(), steps, 2)
    for number in range(steps):
        asked = time.perf_counter()
        batch = next(batches)
        if number == 0:
            start = time.perf_counter()  # start-up: nothing is ready before the first step
        else:
            waiting += time.perf_counter() - asked
        our_step(model, batch.micro_batches[0])()
    share = waiting / (time.perf_counter() - start)
    batches.close()
    return share


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("pretraining", "Pretraining next to what people use.")
    text = "folder of a build of lengths 128 and 512 (default: synthetic shards)"
    parser.add_argument("shards", type=Path, nargs="?", help=text)
    text = "time the steps of this model only; may be repeated"
    parser.add_argument("--only", choices=sorted(CASES), action="append", help=text)
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which the steps of both sides are timed")
    text = "of both sides' steps: fp32, or bf16 by torch's autocast"
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help=text)
    return run(parser, compare, argv)


def compare(arguments: argparse.Namespace) -> None:
    """Measures both and prints the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.shards or write_shards(
            Path(scratch) / "shards", rows=2000, heldout_rows=1, shards=20, lengths=(128, 512), words=30_500
        )
        shard_set = ShardSet.open(folder)
        figures = measure_loader(folder, 128)  # one thread
        torch.set_num_threads(THREADS)
        figures["order_seconds_160m"] = order_seconds()
        figures["data_wait_share"] = data_wait_share(shard_set)
        times = {}
        for name in arguments.only or CASES:
            times[name] = measure_steps(shard_set, name, arguments.rounds, mixed=arguments.precision == "bf16")
            print(f"{name}: {times[name]}", file=sys.stderr, flush=True)
    figures["step_over_transformers"] = {name: found.theirs / found.ours for name, found in times.items()}
    figures["step_over_transformers_spread"] = {name: found.spread for name, found in times.items()}
    figures["step_seconds"] = {name: found.ours for name, found in times.items()}
    figures["mfu"] = {name: found.mfu for name, found in times.items()}
    figures["mfu_transformers"] = {name: found.mfu_theirs for name, found in times.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
