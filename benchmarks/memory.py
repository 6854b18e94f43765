"""Memory of a training process on the CPU over its steps: `python -m benchmarks.memory [SHARDS] [--steps 400]`.

Without SHARDS it makes synthetic ones. Batches have another number of tokens at every step and come from a thread of
their own with keys for dropout, as in a run; what a process takes should stay where it is after the first steps. The
last line is one JSON object, in MB.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from benchmarks.command import benchmark_parser, run
from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from pretraining.data.examples import Examples
from pretraining.data.loader import Loader, prefetch
from pretraining.data.sampler import Position, Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig


def resident(shard_set: ShardSet, size: str, sequences: int, steps: int, every: int) -> dict[int, int]:
    """Resident memory after every ``every`` steps, in MB (10⁶ bytes)."""
    examples = Examples([shard_set], "train", 128)
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    config = BertConfig.named(size, vocab_size=shard_set.manifest.vocabulary_size)
    loader = Loader(examples, sampler, sequences, 1, 0, 1, config.hidden_size, dropout_seed=1)
    model = BertForPreTraining(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    process, found = psutil.Process(), {}
    for step, batch in enumerate(prefetch(loader, Position(), steps, 2), 1):
        sums = model(batch.micro_batches[0])
        sums.loss(batch.masked_tokens, batch.sequences).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % every == 0:
            found[step] = process.memory_info().rss // 10**6
            print(f"step {step}: {found[step]} MB", file=sys.stderr, flush=True)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("memory", "Memory of a training process on the CPU over its steps.")
    text = "folder of a build of length 128 (default: synthetic shards)"
    parser.add_argument("shards", type=Path, nargs="?", help=text)
    parser.add_argument("--size", default="mini", help="published size of the model")
    parser.add_argument("--sequences", type=int, default=8, help="sequences of a step")
    parser.add_argument("--steps", type=int, default=400, help="optimiser steps")
    parser.add_argument("--every", type=int, default=50, help="steps between two figures")
    return run(parser, measure, argv)


def measure(arguments: argparse.Namespace) -> None:
    """Trains, and prints the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.shards or write_shards(
            Path(scratch) / "shards", rows=2000, heldout_rows=1, lengths=(128,), words=8_000, full_share=0.6
        )
        shard_set = ShardSet.open(folder)
        found = resident(shard_set, arguments.size, arguments.sequences, arguments.steps, arguments.every)
    print(json.dumps({"megabytes": found}))


if __name__ == "__main__":
    sys.exit(main())
