"""Sentences to ids: this project's tokenizer next to `tokenizers` and to the tokenizer of `transformers`; one core.

    python -m benchmarks.tokenizing [--vocab VOCAB] [--copies 4] [--repeats 3]

The sentences are those of a real excerpt of Wikipedia, each copy with other misspellings
(`benchmarks.wikipedia_corpus`), so that a copy is new text to all; the first copy, which fills caches, does not count.
All three give the same ids, which is checked. `tokenizers` is asked by `encode_batch_fast`, its fastest way, with one
thread as ours has; `transformers` as its users ask it. CPU seconds, a copy a turn; medians. The last line is one JSON
object.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks.command import add_vocabulary, benchmark_parser, run, vocabulary_of
from benchmarks.preprocessing import read_sentences
from benchmarks.wikipedia_corpus import find_excerpt, write_dump
from preprocessing.errors import PreprocessingError
from preprocessing.tokens.tokenizer import Tokenizer

Ids = list[list[int]]


def sides(vocabulary: Path) -> dict[str, Callable[[list[str]], Ids]]:
    """For each side what turns sentences into ids, without special tokens."""
    from transformers import AutoTokenizer

    ours = Tokenizer.load(vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        ours.save(folder, maximum_length=1 << 30)
        theirs = AutoTokenizer.from_pretrained(folder)

    def with_ours(texts: list[str]) -> Ids:
        ids, offsets = ours.encode(texts)
        return [ids[begin:end].tolist() for begin, end in pairwise(offsets)]

    return {
        "ours": with_ours,
        "tokenizers": lambda texts: [
            encoded.ids for encoded in ours.backend.encode_batch_fast(texts, add_special_tokens=False)
        ],
        "transformers": lambda texts: theirs(
            texts, add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False
        )["input_ids"],
    }


def compare(arguments: argparse.Namespace) -> None:
    """Measures all sides on each copy and prints the figures."""
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    named = sides(vocabulary_of(arguments))
    rates: dict[str, list[float]] = {name: [] for name in named}
    for repeat in range(arguments.repeats):
        for copy in range(arguments.copies):
            with tempfile.TemporaryDirectory() as folder:
                dump = Path(folder) / "dump.xml.bz2"
                number = repeat * arguments.copies + copy
                write_dump(find_excerpt(), dump, range(number, number + 1))
                sentences = [sentence for document in read_sentences(dump) for sentence in document]
            megabytes = sum(len(sentence.encode()) for sentence in sentences) / 1e6
            found: dict[str, Ids] = {}
            for name, encode in named.items():
                begin = time.process_time()
                found[name] = encode(sentences)
                if number:
                    rates[name].append(megabytes / (time.process_time() - begin))
            for name, ids in found.items():
                if ids != found["ours"]:
                    raise PreprocessingError(f"{name} gives other ids than this project: nothing is compared")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    figures = {f"{name}_mb_per_second": round(rate, 2) for name, rate in medians.items()}
    for name in ("tokenizers", "transformers"):
        figures[f"tokenizing_over_{name}"] = round(medians["ours"] / medians[name], 2)
    print(json.dumps(figures))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("tokenizing", __doc__)
    add_vocabulary(parser)
    parser.add_argument("--copies", type=int, default=4, help="copies of the excerpt in a round, at least 2")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    return run(parser, compare, argv)


if __name__ == "__main__":
    sys.exit(main())
