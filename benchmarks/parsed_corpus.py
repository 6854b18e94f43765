"""What a parsed corpus costs and saves: its size, the codecs of its files, and three commands with it and without.

    .venv/bin/python -m benchmarks.parsed_corpus --copies 20 --books 'books/*.txt'

The dump is a real excerpt of Wikipedia, repeated with misspellings (`benchmarks.wikipedia_corpus`). Commands run as
they are typed, with one worker, start included; CPU seconds are those of all their processes. The last line is one
JSON object.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.command import benchmark_parser, run
from benchmarks.wikipedia_corpus import find_excerpt, write_dump
from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_documents import SCHEMA, batches, documents_in
from preprocessing.documents.reading import read_documents
from preprocessing.shards import Manifest
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import ParsedCorpus
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

CODECS: tuple[tuple[str, int | None], ...] = (("none", None), ("lz4", None), ("zstd", 1), ("zstd", 3), ("zstd", 9))
COMMANDS = ("vocabulary", "near_duplicates", "pipeline")


def codec_figures(documents: Sequence[Document], folder: Path) -> dict[str, dict[str, float]]:
    """By codec: size as a share of the text in UTF-8, MB of text a CPU second when written and when read."""
    text = sum(len(sentence.encode()) for document in documents for sentence in document.sentences)
    figures = {}
    for name, level in (CODECS[0], *CODECS):  # the first round is a warm-up, and is overwritten
        path = folder / f"{name}-{level}.arrow"
        compression = None if name == "none" else pa.Codec(name, level)
        begin = time.process_time()
        options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA, options=options) as writer:
            for batch in batches(documents):
                writer.write_batch(batch)
        written = time.process_time()
        with pa.OSFile(str(path)) as source:
            reader = pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(use_threads=False))
            for number in range(reader.num_record_batches):
                for _ in documents_in(reader.get_batch(number)):
                    pass
        figures[name if level is None else f"{name}-{level}"] = {
            "size": round(path.stat().st_size / text, 3),
            "write": round(text / 1e6 / (written - begin)),
            "read": round(text / 1e6 / (time.process_time() - written)),
        }
    return figures


def cpu_seconds(command: str, *words: str) -> float:
    """CPU seconds of `beam run preprocessing/COMMAND.py` with these options."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [str(Path(sys.executable).parent / "beam"), "run", f"preprocessing/{command}.py", *words]
    done = subprocess.run([*line, "--engine", "local", "--workers", "1"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(line)} failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def command_figures(inputs: Sequence[str], folder: Path) -> dict[str, dict[str, float]]:
    """CPU seconds of the commands from the raw inputs, and from the corpus with the parsing before them."""
    corpus = folder / "corpus"
    parsing = cpu_seconds("corpus", *inputs, "--output", str(corpus))
    figures: dict[str, dict[str, float]] = {"raw": {}, "parsed": {"corpus": parsing}}
    for kind, given in (("raw", inputs), ("parsed", ("--corpus", str(corpus)))):
        output = folder / kind
        of_command = {
            "vocabulary": ("--vocabulary-size", "30522"),
            "near_duplicates": (),
            "pipeline": ("--vocab", str(output / "vocabulary"), "--sequence-lengths", "128,512"),
        }
        for command in COMMANDS:
            words = (*given, *of_command[command], "--output", str(output / command))
            figures[kind][command] = cpu_seconds(command, *words)
        figures[kind] = {name: round(seconds, 1) for name, seconds in figures[kind].items()}
        figures[kind]["sum"] = round(sum(figures[kind].values()), 1)
    ours, theirs = (Manifest.read(folder / kind / "pipeline").fingerprint for kind in ("raw", "parsed"))
    if ours != theirs:
        raise SystemExit(f"the shards differ: {ours} from the raw inputs, {theirs} from the corpus")
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("parsed_corpus", __doc__)
    parser.add_argument("--dump", type=Path, help="small Wikipedia dump, bz2 (default: the one in the gensim package)")
    parser.add_argument("--copies", type=int, default=20, help="how often its pages are repeated, with misspellings")
    parser.add_argument("--books", nargs="+", default=[], help="books besides: files or quoted globs")
    return run(parser, compare, argv)


def compare(known: argparse.Namespace) -> None:
    """Measures and prints the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dump = folder / "dump.xml.bz2"
        write_dump(known.dump or find_excerpt(), dump, range(known.copies))
        splits = plan_splits(InputOptions(wikipedia=(str(dump),), books=tuple(known.books)))
        documents = [document for split in splits for document in read_documents(split, DocumentOptions(), Tally())]
        figures: dict[str, object] = {"codecs": codec_figures(documents, folder)}
        text = sum(len(sentence.encode()) for document in documents for sentence in document.sentences)
        inputs = ["--wikipedia", str(dump), *(["--books", *known.books] if known.books else [])]
        figures["cpu_seconds"] = command_figures(inputs, folder)
        size = sum(split.bytes for split in ParsedCorpus.read(folder / "corpus").splits)
        stored = {"raw": sum(split.size for split in splits), "text": text, "corpus": size}
        figures["megabytes"] = {kind: round(value / 1e6, 1) for kind, value in stored.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
