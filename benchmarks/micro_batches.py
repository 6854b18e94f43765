"""CPU time a token of a training step by the size of its micro-batches: what `auto` rests on where there is no GPU.

    python -m benchmarks.micro_batches [--size mini] [--sequence-length 128] [--sequences 32] [--rounds 5]

One global batch of synthetic examples, cut into micro-batches of 1, 2, 4 … sequences; forward and backward in float32
with one thread, medians over rounds that alternate. The last line is one JSON object.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.command import benchmark_parser, run
from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from pretraining.data.examples import Examples
from pretraining.data.loader import GlobalBatch, Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import PUBLISHED_SIZES, BertConfig


def microseconds(size: str, batches: dict[int, GlobalBatch], rounds: int) -> dict[int, float]:
    """CPU microseconds a token by sequences of a micro-batch."""
    model = BertForPreTraining(BertConfig.named(size)).train()

    def step(batch: GlobalBatch) -> float:
        begun = time.process_time()
        for packed in batch.micro_batches:
            model(packed).loss(batch.masked_tokens, batch.sequences).backward()
        model.zero_grad()
        return 1e6 * (time.process_time() - begun) / batch.tokens

    for batch in batches.values():
        step(batch)
    taken: dict[int, list[float]] = {sequences: [] for sequences in batches}
    for _ in range(rounds):
        for sequences, batch in batches.items():
            taken[sequences].append(step(batch))
    return {sequences: statistics.median(values) for sequences, values in taken.items()}


def measure(arguments: argparse.Namespace) -> dict[int, float]:
    """Makes shards and measures."""
    torch.set_num_threads(1)
    whole, length = arguments.sequences, arguments.sequence_length
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_shards(Path(scratch) / "shards", rows=whole, shards=1, lengths=(length,), words=30_000)
        examples = Examples([ShardSet.open(folder)], "train", length)
        sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
        width = BertConfig.named(arguments.size).hidden_size
        batches = {
            size: Loader(examples, sampler, whole, whole // size, 0, 1, width, dropout_seed=1).batch_at(Position())
            for size in (2**power for power in range(whole.bit_length()))
            if whole % size == 0
        }
        return microseconds(arguments.size, batches, arguments.rounds)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("micro_batches", __doc__)
    parser.add_argument("--size", default="mini", choices=sorted(PUBLISHED_SIZES), help="published size of the model")
    parser.add_argument("--sequence-length", type=int, default=128, help="length of the examples in tokens")
    parser.add_argument("--sequences", type=int, default=32, help="sequences of a step, a power of two")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each size")
    return run(parser, lambda given: print(json.dumps({"microseconds_a_token": measure(given)})), argv)


if __name__ == "__main__":
    sys.exit(main())
