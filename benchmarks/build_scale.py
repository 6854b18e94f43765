"""How a build grows with the number of splits and buckets, on tiny files; the last line is one JSON object.

    python -m benchmarks.build_scale [--splits 10000] [--buckets 5000] [--documents 300] [--workers 1] [--direct]

Every split is one file of documents of two short sentences, so what is measured is the work around them: planning,
the graph, record batches, files and the times that intermediate files are opened (of which the time of a large build
on a file server depends). With one worker everything runs in the process of the driver; with more, the peak is that of
the driver alone, and nothing is counted. `--direct` deals to buckets in one step, as builds of up to 512 buckets do.

    plan_seconds, run_seconds, finish_seconds   to cut and hash the inputs; the Beam job; the manifest
    batches, opens                              record batches in intermediate files; times that these were opened
    files                                       files of the finished build, intermediate ones included
    driver_peak_bytes                           peak resident memory of the driver's process
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preprocessing.arguments import OptionParser
from preprocessing.build import folder as build_folder
from preprocessing.build import partitions, references
from preprocessing.build.configuration import BuildConfiguration, Job, inputs_hash
from preprocessing.examples.options import ExampleOptions
from preprocessing.jobs.failures import raise_failures
from preprocessing.jobs.runners import add_runner_options, beam_options, quiet
from preprocessing.shards.thresholds import ThresholdOptions
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, build

_WORDS = [f"word{index}" for index in range(1000)]


def write_texts(folder: Path, splits: int, documents: int) -> int:
    """Files of documents of two sentences of four words, none like another; returns the bytes of one."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(splits):
        words = rng.integers(0, len(_WORDS), (documents, 8)).tolist()
        lines = [" ".join(_WORDS[index] for index in row[half : half + 4]) for row in words for half in (0, 4)]
        texts = (f"{first}\n{second}\n" for first, second in zip(lines[::2], lines[1::2], strict=True))
        (folder / f"{number:06d}.txt").write_text("\n".join(texts))
    return (folder / "000000.txt").stat().st_size


class OpenCounter:
    """Counts what is asked of `read_batches`: opened files and record batches."""

    def __init__(self) -> None:
        self.opens = self.batches = 0
        self._read = references.read_batches

    def __call__(self, wanted: Sequence[references.BatchReference], folder: Path) -> Any:
        self.opens += len(wanted)
        self.batches += sum(len(reference.batches) for reference in wanted)
        return self._read(wanted, folder)


def measure(
    folder: Path, arguments: argparse.Namespace, beam_arguments: list[str], parser: OptionParser
) -> dict[str, Any]:
    """Builds in `folder`; returns the figures."""
    # They import Beam, which --help needs not.
    from preprocessing.build.graph import build_steps
    from preprocessing.jobs.steps import run_steps

    size = write_texts(folder / "text", arguments.splits, arguments.documents)
    tokenizer = build({piece: index for index, piece in enumerate([*SPECIAL_TOKENS, *_WORDS])}, lowercase=True)
    begin = time.perf_counter()
    # Two files never fit into one split, and no file is cut.
    splits = plan_splits(InputOptions(sentences=(str(folder / "text" / "*.txt"),)), split_bytes=size + size // 2)
    planned = time.perf_counter()
    configuration = BuildConfiguration(
        examples=ExampleOptions(sequence_lengths=(32,), duplicate_factor=1),
        tokenizer_fingerprint=tokenizer.fingerprint,
        buckets=arguments.buckets,
    )
    job = Job(folder / "shards", configuration, configuration.hash, inputs_hash(splits))
    options = beam_options(beam_arguments, arguments, parser)
    counter = _count_opens()
    with build_folder.lock(job):
        build_folder.start(job, tokenizer, splits, size)
        with build_folder.watch(job, splits):
            run_steps(options, build_steps(len(splits), job))
        raise_failures(job.intermediate)
        ran = time.perf_counter()
        manifest = build_folder.finish(job, splits, tokenizer, ThresholdOptions(maximum_alone_share=1.0))
    return {
        "splits": len(splits),
        "buckets": arguments.buckets,
        "documents": manifest.counters["documents_out"],
        "plan_seconds": round(planned - begin, 1),
        "run_seconds": round(ran - planned, 1),
        "finish_seconds": round(time.perf_counter() - ran, 1),
        "batches": counter.batches or None,
        "opens": counter.opens or None,
        "files": sum(path.is_file() for path in Path(job.folder).rglob("*")),
        "driver_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _count_opens() -> OpenCounter:
    from preprocessing.build import buckets, gather

    counter = OpenCounter()
    buckets.read_batches = gather.read_batches = counter  # type: ignore[assignment]
    return counter


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.build_scale", (__doc__ or "").split("\n")[0])
    parser.add_argument("--splits", type=int, default=10_000, help="files, of a split each")
    parser.add_argument("--buckets", type=int, default=5_000, help="buckets")
    parser.add_argument("--documents", type=int, default=300, help="documents in a split")
    parser.add_argument("--direct", action="store_true", help="deal to buckets in one step")
    add_runner_options(parser)
    arguments, beam_arguments = parser.parse_known_args(argv)
    quiet()
    if arguments.direct:
        if arguments.workers and arguments.workers > 1:
            raise SystemExit("--direct is for one worker: others would not know of it.")
        partitions.DIRECT_BUCKETS = arguments.buckets
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), arguments, beam_arguments, parser)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
