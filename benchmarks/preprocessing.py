"""Speed and memory of preprocessing, measured in one run; the last line is one JSON object.

    python -m benchmarks.preprocessing [--dump DUMP] [--vocab VOCAB] [--size 3] [--repeats 3]

The corpus is a real excerpt of Wikipedia, repeated with misspellings (`benchmarks.wikipedia_corpus`). What runs in one
process is timed in CPU seconds, so that other work on the machine disturbs it little; only the speedup of two workers
is wall clock. Each figure is the median of its repeats; those of sixteen and more dumps are single runs.

    text_mb_per_core_second         MB of clean text from bz2 to shards of 128 and 512, duplicate factor 5, by the whole
                                    `beam run` command with one worker, its start included
    beam_over_loop                  rate of the Beam job over the rate of the same functions in a plain loop
    wikitext_mb_per_second          MB of wikitext to paragraphs
    wikitext_over_mwparserfromhell  the same as a multiple of mwparserfromhell's strip_code
    tokenize_mb_per_second          MB of sentences to ids, each pass over text that was not seen before
    examples_per_second_128         examples of length 128, masks included
    speedup_two_workers             seconds with one worker over seconds with two, forty dumps, start included
    peak_memory_growth_16x          growth of the peak resident memory from one dump to sixteen (0.05: five percent)
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.command import add_vocabulary, benchmark_parser, run, vocabulary_of
from benchmarks.wikipedia_corpus import find_excerpt, write_dumps
from benchmarks.wikitext import read_wikitext, wikitext_mb_per_second, wikitext_over_mwparserfromhell
from preprocessing.build import folder as build_folder
from preprocessing.build.buckets import build_bucket
from preprocessing.build.configuration import BuildConfiguration, Job, count_buckets, inputs_hash
from preprocessing.build.extract import extract_split
from preprocessing.build.references import references_of_bucket
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.examples.default_recipe import build_examples
from preprocessing.examples.options import ExampleOptions
from preprocessing.shards import Manifest
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally
from preprocessing.tokens.corpus import corpus_of
from preprocessing.tokens.tokenizer import Tokenizer

DUMPS = 16
# Two workers take several seconds to start, whatever there is to do: what they gain is measured on so many times more.
MORE_FOR_TWO_WORKERS = 2.5
# A sixteenth of the defaults: one dump must already fill several splits and buckets, or memory could only grow.
SMALL = ("--split-bytes", str(4 << 20), "--bucket-bytes", str(2 << 20))


# Starts a command and prints [CPU seconds, wall seconds, peak bytes of the largest process] of it. On Linux a process
# inherits the peak of the one that forked it, so the peak has to be asked for by a parent that is small itself.
LAUNCHER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
scale = 1 if sys.platform == "darwin" else 1024
print(json.dumps([usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss * scale]))
sys.exit(code)
"""


@dataclass(frozen=True)
class Command:
    """What a command took: CPU seconds of all its processes, wall seconds, peak bytes of its largest process."""

    cpu_seconds: float
    seconds: float
    peak_bytes: int


def median(measure: Callable[[], float], repeats: int) -> float:
    """The median of what `measure` says when it is asked several times."""
    return statistics.median(measure() for _ in range(repeats))


def build(dumps: Sequence[Path], vocabulary: Path, output: Path, workers: int, *options: str) -> Command:
    """Runs the real `beam run` command."""
    command = [str(Path(sys.executable).parent / "beam"), "run", "preprocessing/pipeline.py"]
    command += ["--wikipedia", *map(str, dumps), "--vocab", str(vocabulary), "--output", str(output)]
    command += ["--engine", "local", "--workers", str(workers), "--sequence-lengths", "128,512", *options]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    launched = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=False,
    )
    if launched.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {launched.stderr}")
    return Command(*json.loads(launched.stdout.splitlines()[-1]))


def clean_megabytes(shards: Path) -> float:
    """MB of clean text in a build."""
    return sum(Manifest.read(shards).corpus.text_bytes_by_source.values()) / 1e6


def beam_over_loop(dumps: Sequence[Path], vocabulary: Path, folder: Path, repeats: int) -> float:
    """CPU seconds of the plain loop over CPU seconds of the Beam job, on the same work in this process, in turns."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from preprocessing.build.graph import build_steps
    from preprocessing.jobs.steps import add_steps

    tokenizer = Tokenizer.load(vocabulary)
    splits = [split for path in dumps for split in plan_splits(InputOptions(wikipedia=(str(path),)))]
    options = PipelineOptions(["--runner=FnApiRunner", "--direct_running_mode=in_memory"])
    loops: list[float] = []
    beams: list[float] = []
    for repeat in range(repeats + 1):
        for kind in ("loop", "beam"):
            job = start_job(folder / f"{kind}-{repeat}", splits, tokenizer)
            begin = time.process_time()
            if kind == "loop":
                loop(splits, job)
            else:
                with beam.Pipeline(options=options) as pipeline:
                    add_steps(pipeline, build_steps(len(splits), job))
            if repeat:  # the first round compiles and fills caches
                (loops if kind == "loop" else beams).append(time.process_time() - begin)
    return statistics.median(loops) / statistics.median(beams)


def start_job(folder: Path, splits: list[Split], tokenizer: Tokenizer) -> Job:
    """A build folder with nothing done yet."""
    configuration = BuildConfiguration(
        tokenizer_fingerprint=tokenizer.fingerprint, buckets=count_buckets(splits, 32 << 20)
    )
    job = Job(folder, configuration, configuration.hash, inputs_hash(splits))
    build_folder.start(job, tokenizer, splits, 64 << 20)
    return job


def loop(splits: list[Split], job: Job) -> None:
    """What the Beam job does, as two plain loops."""
    for split in splits:
        extract_split(split, job)
    for bucket in range(job.configuration.buckets):
        references = references_of_bucket(bucket, job)
        if references:
            build_bucket(bucket, references, job)


def read_sentences(dump: Path) -> list[list[str]]:
    """The sentences of every document of a dump."""
    (split,) = plan_splits(InputOptions(wikipedia=(str(dump),)), split_bytes=1 << 40)
    return [list(document.sentences) for document in read_documents(split, DocumentOptions(), Tally())]


def tokenize_mb_per_second(texts: Sequence[list[list[str]]], tokenizer: Tokenizer) -> float:
    """Median over dumps, after a first one that fills the cache with the commonest words, as any job does."""
    rates = []
    for number, documents in enumerate(texts):
        sentences = [sentence for document in documents for sentence in document]
        size = sum(len(sentence.encode()) for sentence in sentences) / 1e6
        begin = time.process_time()
        tokenizer.encode(sentences)
        if number:
            rates.append(size / (time.process_time() - begin))
    return statistics.median(rates)


def examples_per_second(documents: list[list[str]], tokenizer: Tokenizer, repeats: int) -> float:
    """Examples of length 128, duplicate factor 5, from documents that are tokenised already."""
    ids = [[tokenizer.encode([sentence])[0].tolist() for sentence in document] for document in documents]
    filled = [[sentence for sentence in document if sentence] for document in ids]
    kept = [document for document in filled if document]
    corpus = corpus_of(kept, np.arange(len(kept), dtype=np.uint64), tokenizer.is_continuation)
    options = ExampleOptions()

    def measure() -> float:
        begin = time.process_time()
        built = build_examples(corpus, np.arange(corpus.documents), 128, options.duplicate_factor, options, tokenizer)
        return built.examples.rows / (time.process_time() - begin)

    measure()  # compiles
    return median(measure, repeats)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("preprocessing", __doc__)
    text = "a small real dump, which is repeated (default: the excerpt in the gensim package)"
    parser.add_argument("--dump", type=Path, help=text)
    add_vocabulary(parser)
    parser.add_argument("--size", type=int, default=3, help="copies of the dump's pages in each dump made of it")
    parser.add_argument("--dumps", type=int, default=DUMPS, help="dumps whose memory is compared with one's, 4 or more")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which a figure is the median")
    return run(parser, measure_all, argv)


def measure_all(arguments: argparse.Namespace) -> None:
    """Measures everything and prints the figures as they come."""
    dump = arguments.dump or find_excerpt()
    vocabulary = vocabulary_of(arguments)
    result: dict[str, float] = {}

    def note(**figures: float) -> None:
        result.update({name: round(value, 3) for name, value in figures.items()})
        print(", ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dumps = write_dumps(dump, folder, arguments.dumps, arguments.size)
        tokenizer = Tokenizer.load(vocabulary)

        pages = read_wikitext(dump)
        note(
            wikitext_mb_per_second=wikitext_mb_per_second(pages),
            wikitext_over_mwparserfromhell=wikitext_over_mwparserfromhell(pages),
        )
        texts = [read_sentences(path) for path in dumps[:4]]
        note(tokenize_mb_per_second=tokenize_mb_per_second(texts, tokenizer))
        note(examples_per_second_128=examples_per_second(texts[0], tokenizer, arguments.repeats))
        del texts
        note(beam_over_loop=beam_over_loop(dumps[:2], vocabulary, folder / "in-process", arguments.repeats))

        whole = [build(dumps[:4], vocabulary, folder / f"whole-{n}", 1) for n in range(arguments.repeats)]
        text = clean_megabytes(folder / "whole-0")
        note(
            text_mb_per_core_second=text / statistics.median(run.cpu_seconds for run in whole),
            text_mb=text,
            peak_memory_mb=statistics.median(run.peak_bytes for run in whole) / 1e6,
        )
        memory = {
            times: build(dumps[:times], vocabulary, folder / f"times-{times}", 1, *SMALL)
            for times in sorted({1, 4, arguments.dumps})
        }
        note(**{f"peak_memory_mb_{times}x": run.peak_bytes / 1e6 for times, run in memory.items()})
        note(
            **{
                f"peak_memory_growth_{times}x": run.peak_bytes / memory[1].peak_bytes - 1
                for times, run in memory.items()
                if times > 1
            }
        )
        (folder / "many").mkdir()
        many = write_dumps(dump, folder / "many", round(MORE_FOR_TWO_WORKERS * arguments.dumps), arguments.size)
        seconds = {
            workers: build(many, vocabulary, folder / f"workers-{workers}", workers, *SMALL).seconds
            for workers in (1, 2)
        }
        note(seconds_one_worker=seconds[1], seconds_two_workers=seconds[2])
        note(speedup_two_workers=seconds[1] / seconds[2])
    note(own_peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
