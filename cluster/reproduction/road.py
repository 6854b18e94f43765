"""BERT-Mini on one machine: books and a dump → shards → one phase of pretraining → small tasks → figures.

    python -m cluster.reproduction --books 'books/**/*.txt' --wikipedia 'dumps/*.bz2' --data DATA --output runs/mini

Each stage is the very command that a user would give. Stopped at any point, the same command goes on where it stopped.
With `--peer` the same size is pretrained by `transformers` too, on the same shards and for as many seconds.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError
from cluster.reproduction.results import write_results
from cluster.reproduction.tasks import SmallTask, tasks_in
from cluster.stages.chain import Stage, run_chain
from cluster.stages.commands import beam, input_files, module, pretrain, sources
from cluster.stages.program import run_program

RANKS = 2
LENGTH = "128"
RECIPE = "mini"
SWEEP = Path(__file__).with_name("small-sets.toml")
PREPROCESSING = ("preprocessing", "pages")
PRETRAINING = ("pretraining",)
FINETUNING = ("finetuning",)


def stages(
    folder: Path, wikipedia: str | None, books: str | None, data: Path | None, *, peer: bool = False
) -> list[Stage]:
    """The chain; every output lies below `folder`. Without `data` it ends with held-out figures."""
    inputs = input_files((wikipedia, books))
    text = sources(wikipedia, books)
    vocabulary, shards, run, theirs = (folder / name for name in ("vocabulary", "shards", "pretraining", "peer"))
    chain: list[Stage] = []

    def add(name: str, title: str, command: tuple[str, ...], output: Path, packages: tuple[str, ...]) -> None:
        chain.append(Stage(name, title, command, (output,), packages, inputs))

    command = beam("preprocessing/vocabulary.py", *text, "--vocabulary-size", "8192", "--output", vocabulary)
    add("vocabulary", "WordPiece vocabulary", command, vocabulary, PREPROCESSING)
    options = ("--sequence-lengths", LENGTH, "--duplicate-factor", "2", "--heldout-fraction", "0.03")
    command = beam("preprocessing/pipeline.py", *text, "--vocab", vocabulary, "--output", shards, *options)
    add("shards", "Raw text to shards (Apache Beam)", command, shards / "manifest.json", PREPROCESSING)
    add("pretraining", "Pretraining BERT-Mini", pretrain(RECIPE, RANKS, shards, run), run, PRETRAINING)
    models = {"ours": run / "export"}
    if peer:
        command = module("benchmarks.transformers_pretraining", "--shards", shards, "--output", theirs)
        command += ("--config", f"pretraining/recipes/{RECIPE}.toml", "--threads", str(RANKS))
        command += ("--as-long-as", str(run), "--init", "published")
        add("peer", "The same by transformers, for as long", command, theirs, ("benchmarks",))
        models["transformers"] = theirs / "export"
    for label, model in models.items():
        figures = folder / f"evaluation-{label}.json"
        command = module("pretraining.evaluate", "--model", model, "--shards", shards, "--sequence-length", LENGTH)
        command += ("--examples", "4000", "--output", str(figures))
        add(f"evaluation-{label}", f"Held-out figures, {label}", command, figures, PRETRAINING)
    if data is not None:
        tasks = tasks_in(data)
        sweep = folder / "finetuning"
        command = scores(tasks, data, {**models, "random": f"random:{models['ours'] / 'config.json'}"}, sweep)
        add("finetuning", "Fine-tuning on small tasks", command, sweep, FINETUNING)
        for task in tasks:
            command = module("finetuning.bag_of_words", "--task", task.recipe, "--data", data / task.folder)
            command += ("--output", str(sweep), "--seeds", "1,2,3,4,5", *task.of_bag)
            bag = sweep / "bag-of-words" / task.name
            add(f"bag-{task.name}", f"Bag of words: {task.name}", command, bag, FINETUNING)
        command = module("finetuning.report", sweep)
        add("report", "Scores with their spread", command, sweep / "report.html", FINETUNING)
    return chain


def scores(tasks: Sequence[SmallTask], data: Path, models: dict[str, Path | str], output: Path) -> tuple[str, ...]:
    """The sweep of all tasks on the CPU; those from random weights take the tokenizer of the first model."""
    named = ",".join(f"{label}={model}" for label, model in models.items())
    changes = [
        f"--task.{task.name}.{change}" for task in tasks for change in (f"data={data / task.folder}", *task.changes)
    ]
    recipes = ",".join(task.recipe for task in tasks)
    options: tuple[str | Path, ...] = (
        "--config",
        SWEEP,
        "--models",
        named,
        "--tasks",
        recipes,
        "--output",
        output,
        *changes,
    )
    return module(
        "finetuning.sweep",
        *options,
        f"--options.tokenizer={next(iter(models.values()))}",
        f"--options.precision={_precision()}",
    )


def _precision() -> str:
    """As `auto` chooses for pretraining; fine-tuning's own is float32 on every CPU."""
    import torch

    from pretraining.devices.abilities import abilities_of

    return "bf16" if abilities_of(torch.device("cpu")).has_bfloat16 else "fp32"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser

    parser = OptionParser("python -m cluster.reproduction", (__doc__ or "").split("\n")[0], ClusterError)
    text = "folder of every stage's output and of the figures"
    parser.add_argument("--output", type=Path, default=Path("runs/mini"), metavar="FOLDER", help=text)
    parser.add_argument("--wikipedia", metavar="GLOB", help="a pages-articles dump, or a quoted glob of dumps")
    parser.add_argument("--books", metavar="GLOB", help="a plain text or EPUB file, or a quoted glob of them")
    text = "folder with small tasks: glue/, sentences/, squad/, conll2000/, conll2002-dutch/, or some of them"
    parser.add_argument("--data", type=Path, metavar="FOLDER", help=text)
    text = "pretrain by transformers as well, on the same shards and for as long"
    parser.add_argument("--peer", action="store_true", help=text)

    def run(given: Namespace) -> str:
        if given.wikipedia is None and given.books is None:
            raise ClusterError("no text to learn from: give --books GLOB, --wikipedia GLOB, or both")
        chain = stages(given.output, given.wikipedia, given.books, given.data, peer=given.peer)
        return "\n" + write_results(given.output, run_chain(chain, given.output, quiet=given.quiet))

    return run_program("reproduction", parser, argv, run)


if __name__ == "__main__":
    sys.exit(main())
