"""The whole road on one machine: raw text → vocabulary → shards → two phases of pretraining → fine-tuning → report.

    python -m cluster.demo --output runs/demo [--wikipedia GLOB] [--books GLOB]

Each stage is the very command that a user would give. Stopped at any point, the same command goes on where it
stopped; what changed since (text, options, code) is made anew from there on.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from cluster.demo.report import write_report
from cluster.errors import ClusterError
from cluster.stages.chain import Stage, run_chain
from cluster.stages.commands import beam, input_files, module, pretrain, sources
from cluster.stages.program import run_program

RANKS = 2
SEEDS = (1, 2, 3, 4, 5)
GAPS = "fill_mask.json"
BAG = "bag_of_words"
PREPROCESSING = ("preprocessing", "cluster")
PRETRAINING = ("pretraining",)
FINETUNING = ("finetuning",)


def stages(folder: Path, wikipedia: str | None, books: str | None) -> list[Stage]:
    """The demo's chain; every output lies below `folder`. Without `wikipedia` and `books` the sample corpus is used."""
    corpus, vocabulary, shards = folder / "corpus", folder / "vocabulary", folder / "shards"
    phase1, phase2, task, sweep = folder / "phase1", folder / "phase2", folder / "task", folder / "finetuning"
    chain = []
    if wikipedia is None and books is None:
        command = module("cluster.demo.sample_corpus", "--output", corpus)
        chain.append(Stage("corpus", "Sample corpus", command, (corpus,), ("cluster",)))
        wikipedia, books = f"{corpus}/wikipedia/*.bz2", f"{corpus}/books/*.txt"
        inputs: tuple[Path, ...] = ()
    else:
        inputs = input_files((wikipedia, books))
    text = sources(wikipedia, books)

    def add(name: str, title: str, command: tuple[str, ...], output: Path, packages: tuple[str, ...]) -> None:
        chain.append(Stage(name, title, command, (output,), packages, inputs))

    add(
        "vocabulary",
        "WordPiece vocabulary",
        beam("preprocessing/vocabulary.py", *text, "--vocabulary-size", "2048", "--output", vocabulary),
        vocabulary,
        PREPROCESSING,
    )
    add(
        "shards",
        "Raw text to shards (Apache Beam)",
        beam("preprocessing/pipeline.py", *text, "--vocab", vocabulary, "--output", shards)
        + (
            "--sequence-lengths",
            "128,512",
            "--duplicate-factor",
            "5",
            "--books.document",
            "chapter",
            "--heldout-fraction",
            "0.2",
        ),
        shards / "manifest.json",
        PREPROCESSING,
    )
    add(
        "phase1",
        "Pretraining, phase 1: length 128",
        pretrain("demo-phase1", RANKS, shards, phase1),
        phase1,
        PRETRAINING,
    )
    command = pretrain("demo-phase2", RANKS, shards, phase2, f"--init.from={phase1 / 'export'}")
    add("phase2", "Pretraining, phase 2: length 512", command, phase2, PRETRAINING)
    export = phase2 / "export"
    for length in ("128", "512"):
        figures = folder / f"evaluation-{length}.json"
        command = module("pretraining.evaluate", "--model", export, "--shards", shards, "--sequence-length", length)
        command += ("--examples", "512", "--output", str(figures))
        add(f"evaluation-{length}", f"Held-out figures at length {length}", command, figures, PRETRAINING)
    command = module("cluster.demo.gaps", "--model", export, "--output", folder / GAPS)
    add("gaps", "Gaps in five sentences", command, folder / GAPS, ("cluster", *PRETRAINING))
    command = module("cluster.demo.task", "--shards", shards, "--output", task)
    add("task", "Fine-tuning task from held-out documents", command, task, ("cluster",))
    command = module("finetuning.bag_of_words", "--task", task / "continues.toml", "--data", task)
    command += ("--output", str(folder / BAG), "--seeds", ",".join(map(str, SEEDS)))
    add("bag-of-words", "What words alone score on it", command, folder / BAG, FINETUNING)
    command = module("finetuning.sweep", "--models", f"pretrained={export},random=random:{export / 'config.json'}")
    command += ("--tasks", f"{task / 'continues.toml'}", "--data", f"{task}", "--output", f"{sweep}")
    command += ("--learning-rates", "2e-4", "--batch-sizes", "16", "--epochs", "2")
    command += ("--seeds", ",".join(map(str, SEEDS)), f"--options.tokenizer={export}", "--options.threads=1")
    add("finetuning", "Fine-tuning: pretrained and random weights", command, sweep, FINETUNING)
    return chain


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser

    parser = OptionParser("python -m cluster.demo", __doc__.split("\n")[0], ClusterError)
    text = "folder of every stage's output and of the report"
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help=text)
    text = "a pages-articles dump, or a quoted glob of dumps (default: the sample, unless --books is given)"
    parser.add_argument("--wikipedia", help=text)
    text = "a plain text or EPUB file, or a quoted glob of them (default: the sample, unless --wikipedia is given)"
    parser.add_argument("--books", help=text)

    def run(given: Namespace) -> str:
        chain = stages(given.output, given.wikipedia, given.books)
        markers = run_chain(chain, given.output, quiet=given.quiet)
        summary = write_report(given.output, chain, markers)
        return f"\n{summary}\n\nThe whole story: {given.output / 'report.html'}"

    return run_program("demo", parser, argv, run)


if __name__ == "__main__":
    sys.exit(main())
