"""Fixed shapes of micro-batches: filler, number of shapes, uneven ranks, and what a global batch takes of the host.

    python -m benchmarks.packing SHARDS [--sequence-length 512] [--steps 3000] [--rounds 9]
    python -m benchmarks.packing SHARDS --train mini --rounds 9

Without SHARDS it makes synthetic ones. Cases are batch sizes of the recipes, for several numbers of ranks. Milliseconds
are CPU time of one thread for one rank's whole work on a global batch (order, lengths, dealing, packing, filling),
medians over rounds that alternate with the loader that cuts by length. With `--train` it is the CPU time of forward and
backward passes instead, over four micro-batches of eight sequences. The last line is one JSON object.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.command import benchmark_parser, run
from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from pretraining.data.batching import cut
from pretraining.data.dealing import deal
from pretraining.data.examples import Examples
from pretraining.data.loader import Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.data.shape_ladder import ShapeLadder
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig

# Batch size, ranks, micro-batch size: those of the recipes.
CASES = {
    128: (
        *((256, 1, 16), (256, 8, 16), (256, 1, 32), (256, 8, 32), (4096, 8, 64)),
        *((65536, 8, 64), (65536, 64, 64), (65536, 512, 64), (65536, 8, 256)),
    ),
    512: (
        *((256, 1, 16), (256, 8, 16), (256, 1, 32), (256, 8, 32)),
        *((32768, 8, 16), (32768, 64, 16), (32768, 512, 16), (32768, 64, 64)),
    ),
}
_MOST_EXAMPLES = 30_000_000  # of all steps of a case


def shares(loader: Loader, steps: int) -> dict[str, Any]:
    """Filler and shapes over so many steps, from lengths alone."""
    ladder, ranks, parts = loader.ladder, loader.ranks, loader.ranks * loader.micro_batches
    assert ladder is not None
    position, found = Position(), Counter[Any]()
    real = computed = 0
    slowest = dict.fromkeys(("dealt", "cut"), 0)
    for _ in range(steps):
        examples, _ = loader.sampler.draw(position, loader.batch_size)
        position = loader.sampler.advance(position, loader.batch_size)
        lengths, masked = loader.examples.measure(examples)
        dealt = deal(lengths, parts)
        dealt = dealt[np.argsort(-lengths[dealt].sum(axis=1), kind="stable")].reshape(loader.micro_batches, ranks, -1)
        for share in dealt:
            tokens = lengths[share].sum(axis=1)
            shape = ladder.shape(tokens, masked[share].sum(axis=1))
            found[shape] += 1
            computed += ranks * shape.tokens
            slowest["dealt"] += ranks * int(tokens.max())
        for share in cut(lengths, ranks, loader.micro_batches, loader.hidden_size):
            slowest["cut"] += ranks * int(lengths[share].sum(axis=1).max())
        real += int(lengths.sum())
    return {
        "steps": steps,
        "filler_share": 1 - real / computed,
        "shapes": len(found),
        "levels": len(ladder.levels),
        "tokens": [min(shape.tokens for shape in found), max(shape.tokens for shape in found)],
        # Of the time of ranks that wait for the fullest at every micro-batch, by tokens.
        "uneven_share": {name: 1 - real / tokens for name, tokens in slowest.items()},
    }


def milliseconds(loader: Loader, rounds: int) -> dict[str, float]:
    """Median CPU time of one global batch, with the ladder and without, in turns."""
    makers = {"fixed": loader, "cut": replace(loader, ladder=None)}
    found: dict[str, list[float]] = {name: [] for name in makers}
    position = Position()
    for round_number in range(rounds + 1):
        for name, maker in makers.items():
            start = time.process_time()
            batch = maker.batch_at(position)
            if round_number:  # the first compiles and maps
                found[name].append(1e3 * (time.process_time() - start))
        position = batch.next_position
    return {name: statistics.median(values) for name, values in found.items()}


def measure(examples: Examples, case: tuple[int, int, int], steps: int, rounds: int) -> dict[str, Any]:
    """The figures of one batch size, number of ranks and micro-batch size."""
    batch, ranks, size = case
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    micro_batches = batch // (ranks * size)
    start = time.process_time()
    ladder = ShapeLadder.of(examples, sampler, batch, ranks, micro_batches)
    rehearsal = time.process_time() - start
    loader = Loader(examples, sampler, batch, micro_batches, 0, ranks, 1024, ladder=ladder)
    return {
        "batch": batch,
        "ranks": ranks,
        "micro_batch": size,
        **shares(loader, max(1, min(steps, _MOST_EXAMPLES // batch))),
        "rehearsal_seconds": rehearsal,
        "milliseconds": milliseconds(loader, rounds),
    }


def training_seconds(examples: Examples, size: str, vocabulary: int, rounds: int) -> dict[str, Any]:
    """Median CPU seconds of forward and backward over one global batch on the CPU, float32 with dropout."""
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    ladder = ShapeLadder.of(examples, sampler, 32, 1, 4)
    loader = Loader(examples, sampler, 32, 4, 0, 1, 256, dropout_seed=1, ladder=ladder)
    makers = {"fixed": loader, "cut": replace(loader, ladder=None)}
    model = BertForPreTraining(BertConfig.named(size, vocab_size=vocabulary)).train()
    found: dict[str, list[float]] = {name: [] for name in makers}
    position = Position()
    for round_number in range(rounds + 1):
        for name, maker in sorted(makers.items(), reverse=round_number % 2 == 1):
            batch = maker.batch_at(position)
            start = time.process_time()
            for micro_batch in batch.micro_batches:
                model(micro_batch).loss(batch.masked_tokens, batch.sequences).backward()
            if round_number:
                found[name].append(time.process_time() - start)
            model.zero_grad()
        position = batch.next_position
    ratios = [fixed / by_length for fixed, by_length in zip(found["fixed"], found["cut"], strict=True)]
    return {name: statistics.median(values) for name, values in found.items()} | {"ratio": statistics.median(ratios)}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("packing", __doc__)
    parser.add_argument("shards", type=Path, nargs="?", help="folder of a build (default: synthetic shards)")
    parser.add_argument("--sequence-length", type=int, default=128, help="length of the examples in tokens")
    parser.add_argument("--steps", type=int, default=3000, help="steps whose filler is counted, at most")
    parser.add_argument("--rounds", type=int, default=9, help="global batches that are timed")
    parser.add_argument("--train", metavar="SIZE", help="time training steps of a model of this size on the CPU")
    return run(parser, compare, argv)


def compare(arguments: argparse.Namespace) -> None:
    """Measures the cases, or training steps, and prints the figures."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        length = arguments.sequence_length
        folder = arguments.shards or write_shards(
            Path(scratch) / "shards", rows=5000, heldout_rows=1, shards=4, lengths=(length,), full_share=0.9
        )
        shard_set = ShardSet.open(folder)
        examples = Examples([shard_set], "train", length)
        if arguments.train:
            vocabulary = shard_set.manifest.vocabulary_size
            print(json.dumps(training_seconds(examples, arguments.train, vocabulary, arguments.rounds)))
            return
        found = []
        for case in CASES[512 if length > 128 else 128]:
            figures = measure(examples, case, arguments.steps, arguments.rounds)
            found.append(figures)
            print(
                "{batch:>6} over {ranks:>3} ranks by {micro_batch:>3}: filler {filler_share:.2%}, {shapes} shapes "
                "of {levels} levels, uneven {uneven_share}, {milliseconds} ms".format(**figures),
                file=sys.stderr,
                flush=True,
            )
    print(json.dumps({"sequence_length": length, "examples": len(examples), "cases": found}))


if __name__ == "__main__":
    sys.exit(main())
