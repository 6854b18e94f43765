"""Where the CPU time of a build goes, stage by stage, from stored bytes to shards, in one process and one run.

    python -m benchmarks.build_stages --wikipedia 'dumps/*.bz2' --books 'books/*.txt' [--repeats 3]

Without inputs the corpus is a real excerpt of Wikipedia, twice over, with misspellings (`benchmarks.wikipedia_corpus`).
The build is the real one, `extract_split` and `build_bucket` in a plain loop; the functions of the table `STAGES` are
wrapped by a clock, and each is charged what it does itself, without the other stages that it calls. The first round,
which compiles and fills caches, does not count; a figure is the median of the others. The last line is one JSON object:
CPU seconds for each MB of clean text (UTF-8), and its inverse for all of it, without what starts a job.
"""

import argparse
import functools
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.command import add_vocabulary, benchmark_parser, run, vocabulary_of
from benchmarks.preprocessing import start_job
from benchmarks.wikipedia_corpus import find_excerpt, write_dump
from preprocessing.build.buckets import build_bucket
from preprocessing.build.extract import extract_split, loaded_tokenizer
from preprocessing.build.references import references_of_bucket
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tokens.tokenizer import Tokenizer

COPIES = 2
OTHER = "the rest"
# (stage, module, name in it): where several modules import a function, each has a name of its own for it.
STAGES = (
    ("decompress", "preprocessing.sources.stored_stream", "StoredStream.read"),
    ("decompress", "preprocessing.sources.seeking.bzip2_blocks", "Bzip2BlockStream.read"),
    ("XML", "preprocessing.sources.wikipedia.articles", "read_pages"),
    ("XML", "preprocessing.sources.wikipedia.pages", "Page.text"),
    ("wikitext", "preprocessing.sources.wikipedia.articles", "extract"),
    ("encoding", "preprocessing.sources.books.reader", "detect_encoding"),
    ("reader: articles, lines", "preprocessing.documents.reading", "reader_of"),
    ("checks", "preprocessing.documents.text_checks", "TextChecks.look"),
    ("cleaning", "preprocessing.documents.cleaning", "Cleaner.clean"),
    ("cleaning", "preprocessing.documents.cleaning", "Cleaner.refusal"),
    ("sentences", "preprocessing.documents.sentences.segmenter", "Segmenter.segment"),
    ("tokens", "preprocessing.tokens.tokenizer", "Tokenizer.encode"),
    ("keys, tables, dealing", "preprocessing.build.extract", "write_batches"),
    ("bucket: read, sort", "preprocessing.build.buckets", "read_batches"),
    ("bucket: read, sort", "preprocessing.build.buckets", "without_exact_duplicates"),
    ("pairs", "preprocessing.examples.default_recipe", "plan_pairs"),
    ("masking", "preprocessing.examples.default_recipe", "mask_examples"),
    ("examples", "preprocessing.build.buckets", "build_examples"),
    ("shards", "preprocessing.build.buckets", "write_shard"),
    ("shards", "preprocessing.build.buckets", "write_documents"),
    ("bucket: statistics", "preprocessing.build.buckets", "build_bucket"),
)


class StageClock:
    """CPU seconds by stage; a stage that runs inside another one is charged alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open = [OTHER]
        self._since = time.process_time()

    def _switch(self) -> None:
        reached = time.process_time()
        self.seconds[self._open[-1]] += reached - self._since
        self._since = reached

    def enter(self, stage: str) -> None:
        self._switch()
        self._open.append(stage)

    def leave(self) -> None:
        self._switch()
        self._open.pop()

    def wrapped(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, charged to the stage; where it returns an iterator, or a function, what that does as well."""

        @functools.wraps(function)
        def call(*positional: Any, **named: Any) -> Any:
            self.enter(stage)
            try:
                result = function(*positional, **named)
            finally:
                self.leave()
            if isinstance(result, Iterator):
                return self._iterated(stage, result)
            return self.wrapped(stage, result) if callable(result) else result

        return call

    def _iterated(self, stage: str, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            self.enter(stage)
            try:
                item = next(items, self)
            finally:
                self.leave()
            if item is self:
                return
            yield item


def patched(clock: StageClock, stack: ExitStack) -> None:
    """Puts the clock around every function of `STAGES`, as long as the stack is open."""
    for stage, module, name in STAGES:
        *owner, attribute = name.split(".")
        holder: Any = importlib.import_module(module)
        for part in owner:
            holder = getattr(holder, part)
        stack.enter_context(patch.object(holder, attribute, clock.wrapped(stage, getattr(holder, attribute))))


def build_seconds(inputs: InputOptions, vocabulary: Path, folder: Path) -> tuple[dict[str, float], float]:
    """CPU seconds by stage of one build into `folder`, and MB of clean text in it."""
    tokenizer = Tokenizer.load(vocabulary)
    splits = plan_splits(inputs)
    job = start_job(folder, splits, tokenizer)
    loaded_tokenizer(job)  # once a process
    with ExitStack() as stack:
        clock = StageClock()
        patched(clock, stack)
        for split in splits:
            extract_split(split, job)
        results = []
        for bucket in range(job.configuration.buckets):
            if references := references_of_bucket(bucket, job):
                # By its name in the module, where the clock is.
                results.append(importlib.import_module(build_bucket.__module__).build_bucket(bucket, references, job))
        clock.enter(OTHER)
    text = sum(sum(result.corpus.text_bytes_by_source.values()) for result in results)
    return clock.seconds, text / 1e6


def measure(inputs: InputOptions, vocabulary: Path, repeats: int) -> None:
    """Prints the table and the JSON line."""
    rounds: list[dict[str, float]] = []
    text = 0.0
    for number in range(repeats + 1):
        with tempfile.TemporaryDirectory() as temporary:
            seconds, text = build_seconds(inputs, vocabulary, Path(temporary) / "shards")
        if number:
            rounds.append({stage: spent / text for stage, spent in seconds.items()})
    names = [name for name in dict.fromkeys(stage for stage, _, _ in STAGES) if name in rounds[0]] + [OTHER]
    figures = {name: statistics.median(found.get(name, 0.0) for found in rounds) for name in names}
    whole = statistics.median(sum(found.values()) for found in rounds)
    print(f"{text:.1f} MB of text; CPU ms for each MB, share")
    for name, spent in figures.items():
        print(f"{name:28}{1e3 * spent:8.1f}{spent / whole:8.1%}")
    print(f"{'all':28}{1e3 * whole:8.1f}   {1 / whole:.2f} MB a core-second")
    rounded = {name: round(spent, 5) for name, spent in figures.items()}
    print(json.dumps({"text_mb": round(text, 2), "mb_per_core_second": round(1 / whole, 3), "seconds_per_mb": rounded}))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("build_stages", __doc__)
    parser.add_argument("--wikipedia", nargs="+", default=[], help="Wikipedia dumps, or quoted globs of them")
    parser.add_argument("--books", nargs="+", default=[], help="books, or quoted globs of them")
    add_vocabulary(parser)
    parser.add_argument("--repeats", type=int, default=3, help="rounds of which a figure is the median")
    return run(parser, compare, argv)


def compare(arguments: argparse.Namespace) -> None:
    """Measures the inputs that were given, or the excerpt."""
    vocabulary = vocabulary_of(arguments)
    if arguments.wikipedia or arguments.books:
        inputs = InputOptions(wikipedia=tuple(arguments.wikipedia), books=tuple(arguments.books))
        measure(inputs, vocabulary, arguments.repeats)
        return
    with tempfile.TemporaryDirectory() as temporary:
        dump = Path(temporary) / "dump.xml.bz2"
        write_dump(find_excerpt(), dump, range(COPIES))
        measure(InputOptions(wikipedia=(str(dump),)), vocabulary, arguments.repeats)


if __name__ == "__main__":
    sys.exit(main())
