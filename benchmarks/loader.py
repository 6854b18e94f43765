"""The loader against `datasets` with a Hugging Face collator, on the same shards; one core.

    python -m benchmarks.loader [SHARDS] [--sequence-length 128] [--mapped-shards 200]

With `--mapped-shards` no more shards are mapped at a time, as in a build of more than half of `vm.max_map_count`.
Without SHARDS it makes synthetic ones (many shards, so that a batch touches all of them). Times are of the process's
CPU, medians over alternating rounds of both. The last line is one JSON object.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command import benchmark_parser, run
from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.data.dynamic_masking import MaskingVocabulary
from pretraining.data.examples import Examples
from pretraining.data.loader import Loader
from pretraining.data.mapped_shards import OF_PROCESS, Mappings
from pretraining.data.sampler import Position, Sampler

BATCH = 256


def ours(
    shard_set: ShardSet, length: int, *, dynamic: bool = False, mappings: Mappings = OF_PROCESS
) -> Callable[[], int]:
    """A function that makes the next global batch, packed, and returns its real tokens."""
    examples = Examples([shard_set], "train", length, mappings)
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    vocabulary = None
    if dynamic:
        tokenizer = Tokenizer.load(shard_set.tokenizer_path)
        vocabulary = MaskingVocabulary(tokenizer.mask_id, tokenizer.ordinary_ids, tokenizer.is_continuation, False)
    loader = Loader(examples, sampler, BATCH, 4, 0, 1, 768, vocabulary)
    position = Position()

    def advance() -> int:
        nonlocal position
        batch = loader.batch_at(position)
        position = batch.next_position
        return batch.tokens

    return advance


def theirs(shard_set: ShardSet, length: int) -> Callable[[], int]:
    """The common way: `datasets` over the same files, shuffled, and a collator that pads and sets labels."""
    import torch
    from datasets import Dataset, concatenate_datasets
    from transformers import AutoTokenizer, DataCollatorWithPadding

    tokenizer = AutoTokenizer.from_pretrained(str(shard_set.tokenizer_path))
    collate = DataCollatorWithPadding(tokenizer)
    files = shard_set.records("train", length).files()
    table = concatenate_datasets([Dataset.from_file(str(shard_set.folder / file.name)) for file in files])
    shuffled = table.shuffle(seed=1)
    place = 0

    def advance() -> int:
        nonlocal place
        rows = [shuffled[(place + step) % len(shuffled)] for step in range(BATCH)]
        place += BATCH
        tokens = 0
        features, labels = [], []
        for row in rows:
            size, start = len(row["input_ids"]), row["segment_b_start"]
            tokens += size
            features.append(
                {"input_ids": row["input_ids"], "token_type_ids": [int(index >= start) for index in range(size)]}
            )
            label = torch.full((size,), -100)
            label[torch.tensor(row["masked_positions"])] = torch.tensor(row["masked_labels"])
            labels.append(label)
        batch = collate(features)
        batch["labels"] = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)
        batch["next_sentence_label"] = torch.tensor([int(row["is_random_next"]) for row in rows])
        return tokens

    return advance


def rates(makers: dict[str, Callable[[], int]], rounds: int, seconds: float) -> dict[str, float]:
    """Median real tokens per second of CPU time of each maker, in alternating rounds."""
    for maker in makers.values():
        maker()  # compiles, opens, maps
    found: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(rounds):
        for name, maker in makers.items():
            tokens, start = 0, time.process_time()
            while time.process_time() - start < seconds:
                tokens += maker()
            found[name].append(tokens / (time.process_time() - start))
    return {name: statistics.median(values) for name, values in found.items()}


def measure(
    folder: Path, length: int, rounds: int = 5, seconds: float = 0.5, mappings: Mappings = OF_PROCESS
) -> dict[str, Any]:
    """The figures of one shard folder."""
    import torch

    torch.set_num_threads(1)
    shard_set = ShardSet.open(folder)
    start = time.process_time()
    examples = Examples([shard_set], "train", length, mappings)
    opening = time.process_time() - start
    start = time.process_time()
    for shard in range(min(len(examples.shards), mappings.limit)):
        examples.shards.column(shard, "document_a")
    mapping = time.process_time() - start
    found = rates(
        {
            "loader": ours(shard_set, length, mappings=mappings),
            "dynamic": ours(shard_set, length, dynamic=True, mappings=mappings),
            "datasets": theirs(shard_set, length),
        },
        rounds,
        seconds,
    )
    return {
        "examples": len(examples),
        "shards": len(examples.shards),
        "open_seconds": opening,
        "map_seconds": mapping,
        "mapped_shards": mappings.live,
        "loader_tokens_per_second": found["loader"],
        "loader_dynamic_tokens_per_second": found["dynamic"],
        "datasets_tokens_per_second": found["datasets"],
        "loader_over_datasets": found["loader"] / found["datasets"],
    }


def order_seconds(population: int = 160_000_000, batch: int = 65_536) -> float:
    """CPU seconds to draw one global batch's examples at full scale; needs no shards."""
    sampler = Sampler.weighted((population,), (), 1)
    start = time.process_time()
    for step in range(5):
        sampler.draw(Position(0, step * batch), batch)
    return (time.process_time() - start) / 5


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("loader", __doc__)
    parser.add_argument("shards", type=Path, nargs="?", help="folder of a build (default: synthetic shards)")
    parser.add_argument("--sequence-length", type=int, default=128, help="length of the examples in tokens")
    parser.add_argument(
        "--mapped-shards",
        type=int,
        default=OF_PROCESS.limit,
        help="how many shards are mapped at a time (default: half of vm.max_map_count)",
    )
    return run(parser, compare, argv)


def compare(arguments: argparse.Namespace) -> None:
    """Measures both and prints the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.shards or write_shards(
            Path(scratch) / "shards",
            rows=500,
            heldout_rows=1,
            shards=400,
            lengths=(arguments.sequence_length,),
            words=30_000,
        )
        figures = measure(folder, arguments.sequence_length, mappings=Mappings(arguments.mapped_shards))
    figures["order_seconds_160m"] = order_seconds()
    assert np.isfinite(figures["loader_tokens_per_second"])
    print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
