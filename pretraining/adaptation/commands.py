"""The commands of an adaptation, each one that a person could give."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pretraining.adaptation.options import AdaptOptions, Training

ROOT = Path(__file__).resolve().parents[2]
"""Where the stages lie: their files are run as files."""


def build(
    options: AdaptOptions,
    sources: Mapping[str, Sequence[str]],
    vocabulary: Path,
    output: Path,
    objective: str,
) -> list[str]:
    """Raw text → shards with the vocabulary in `vocabulary`.

    One pass over the documents: training masks anew at every pass, so copies with other masks would add nothing.
    """
    words = [sys.executable, "-m", "cluster.beam", "run", str(ROOT / "preprocessing" / "pipeline.py")]
    for name, paths in sources.items():
        words += [f"--{name}", *paths]
    settings = {
        "vocab": vocabulary,
        "output": output,
        "language": options.language,
        "sequence-lengths": options.sequence_length,
        "duplicate-factor": 1,
        "objective": objective,
        "heldout-fraction": options.heldout_fraction,
        "seed": options.seed,
    }
    words += [f"--{key}={value}" for key, value in (*settings.items(), *_flat(options.build))]
    return [*words, "--engine", "local", *(["--workers", str(options.workers)] if options.workers else [])]


def evaluate(options: AdaptOptions, model: Path, shards: Path, output: Path) -> list[str]:
    """Held-out figures of a model on shards."""
    words = [sys.executable, "-m", "pretraining.evaluate", "--model", str(model), "--shards", str(shards)]
    words += ["--sequence-length", str(options.sequence_length), "--examples", str(options.evaluation_examples)]
    return [*words, "--output", str(output)]


def train(options: AdaptOptions, training: Training, set_here: Sequence[str]) -> list[str]:
    """The training run; several processes by DeepSpeed's launcher, one without it."""
    words = [sys.executable]
    if options.processes > 1:
        words = [str(Path(sys.executable).parent / "deepspeed"), "--num_gpus", str(options.processes)]
    words += [str(ROOT / "pretraining" / "main.py"), "--config", str(training.recipe)]
    return [*words, *training.words, *set_here]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Option and text of every value of nested tables, as a command line has them; of several texts one after the
    other.
    """
    for key, value in table.items():
        name = f"{prefix}{key}".replace("_", "-")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(part, str) for part in value):
            yield from ((name, str(part)) for part in value)
        elif isinstance(value, list | tuple):
            yield name, ",".join(map(str, value))
        else:
            yield name, {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
