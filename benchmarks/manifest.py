"""What opening the manifest of a very large build costs a rank, and what making it costs the driver.

    python -m benchmarks.manifest [--buckets 75000]

Synthetic records of `--buckets` buckets (two splits, lengths 128 and 512, histograms as full as they come), written as
a build does; then, in a process of its own each, what a rank does at its start and what the report does. No shard is
written. The last line is one JSON object; peaks are of the whole process, and `imports` is one that opens nothing.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import benchmark_parser, run
from preprocessing.errors import PreprocessingError
from preprocessing.examples.statistics import CorpusStatistics
from preprocessing.shards import (
    FORMAT_VERSION,
    SPLITS,
    DocumentTableRecord,
    DocumentTableRecords,
    InputRecords,
    Manifest,
    ShardRecord,
    ShardRecords,
    ShardSet,
    documents_path,
    shard_path,
)

LENGTHS = (128, 512)
SHORTEST = 8
HELDOUT_SHARE = 10  # a tenth as many lengths occur among the few held-out examples


def shard_records(buckets: int) -> Iterator[ShardRecord]:
    """The shards of every bucket, as their sidecars would hold them."""
    for bucket in range(buckets):
        for split in SPLITS:
            for length in LENGTHS:
                name = str(shard_path(Path(), split, length, bucket, buckets))
                kinds = (length - SHORTEST) // (1 if split == "train" else HELDOUT_SHARE)
                yield ShardRecord(
                    name=name,
                    split=split,
                    length=length,
                    rows=kinds * 1000,
                    tokens=kinds * 100_000,
                    masked_tokens=kinds * 15_000,
                    random_pairs=kinds * 500,
                    sha256=hashlib.sha256(name.encode()).hexdigest(),
                    bytes=kinds * 300_000,
                    length_histogram={length - number: 1000 for number in range(kinds)},
                )


def document_records(buckets: int) -> Iterator[DocumentTableRecord]:
    """The document table of every bucket."""
    for bucket in range(buckets):
        name = str(documents_path(Path(), bucket, buckets))
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        yield DocumentTableRecord(name=name, rows=1000, sha256=sha256, bytes=12_345)


def make(folder: Path, buckets: int) -> None:
    """Packs the records of one bucket after another and writes the manifest, as the end of a build does."""
    Manifest(
        format_version=FORMAT_VERSION,
        configuration_hash="synthetic",
        configuration={},
        inputs_hash="synthetic",
        inputs=InputRecords.of(()),
        tokenizer_fingerprint="synthetic",
        vocabulary_size=30522,
        buckets=buckets,
        lengths=LENGTHS,
        shards=ShardRecords.of(shard_records(buckets)),
        documents=DocumentTableRecords.of(document_records(buckets)),
        tally={"counters": {}},
        corpus=CorpusStatistics(),
        statistics={},
    ).write(folder)


def rank(folder: Path) -> None:
    """What a rank needs to begin: the rows of one split and length, and the fingerprint of the set."""
    shards = ShardSet.open(folder)
    records = shards.records("train", LENGTHS[0]).with_rows()
    if not int(records.rows.sum()) or not shards.fingerprint:
        raise PreprocessingError(f"{folder} holds no example.")


def histograms(folder: Path) -> None:
    """What the report needs besides."""
    for split in SPLITS:
        for length in LENGTHS:
            ShardSet.open(folder).records(split, length).length_histogram()


STEPS = {"imports": lambda folder: None, "rank": rank, "histograms": histograms}


def measured(step: str, folder: Path, buckets: int) -> dict[str, float]:
    """Seconds of a step and the peak of a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.manifest", "--step", step, "--folder", str(folder)]
    ran = subprocess.run([*command, "--buckets", str(buckets)], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def compare(arguments: argparse.Namespace) -> None:
    """Runs every step and prints the figures."""
    figures: dict[str, Any] = {"shards": 4 * arguments.buckets}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "shards"
        for step in ("make", *STEPS):
            figures[step] = measured(step, folder, arguments.buckets)
        files = [*folder.glob("manifest/*"), folder / "manifest.json"]
        figures["bytes"] = {path.name: path.stat().st_size for path in sorted(files)}
    print(json.dumps(figures))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("manifest", __doc__)
    parser.add_argument("--buckets", type=int, default=75_000, help="buckets of the synthetic build: four shards each")
    parser.add_argument("--step", choices=("make", *STEPS), help="one step alone, in this process")
    parser.add_argument("--folder", type=Path, help="folder of the manifest for --step")
    return run(parser, measure, argv)


def measure(arguments: argparse.Namespace) -> None:
    """One step in this process, or all of them in one each."""
    if arguments.step is None:
        compare(arguments)
        return
    start, begun = time.perf_counter(), time.process_time()
    if arguments.step == "make":
        make(arguments.folder, arguments.buckets)
    else:
        STEPS[arguments.step](arguments.folder)
    figures = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - begun}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({name: round(value, 4) for name, value in figures.items()} | {"peak_mib": round(peak)}))


if __name__ == "__main__":
    sys.exit(main())
