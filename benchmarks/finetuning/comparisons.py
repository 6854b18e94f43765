"""What is compared: data sets, how many rows of them, and the one recipe that both sides train by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SETS = Path(__file__).resolve().parents[2] / "finetuning" / "recipes" / "sets"


@dataclass(frozen=True)
class Comparison:
    """One data set: the task, its folder below `--data`, rows, and hyperparameters of both sides."""

    task: str
    """A name in `finetuning/recipes/`, or the path of a task file."""
    folder: str
    train: int
    """Most training rows: a random sample, the same for every run (`sample.py`)."""
    dev: int
    """Most rows to score, likewise."""
    epochs: float
    learning_rate: float
    batch_size: int
    sequence_length: int


def _set(name: str) -> str:
    return str(_SETS / f"{name}.toml")


# Small: a run of either side takes ten to thirty seconds of one core. --limit-train and --epochs make them larger.
COMPARISONS = {
    "movie-reviews": Comparison(_set("movie-reviews"), "sentences", 512, 300, 2, 2e-4, 16, 64),
    "subjectivity": Comparison(_set("subjectivity"), "sentences", 256, 300, 1, 2e-4, 16, 64),
    "questions": Comparison(_set("questions"), "sentences", 480, 300, 1, 2e-4, 16, 64),
    "conll2000": Comparison("conll2000", "conll2000", 256, 120, 1, 5e-4, 16, 128),
    "conll2002-dutch": Comparison(_set("conll2002-dutch"), "", 480, 200, 2, 5e-4, 16, 128),
    "cola": Comparison("cola", "glue", 1000, 300, 2, 2e-4, 16, 64),
    "rte": Comparison("rte", "glue", 256, 120, 2, 2e-4, 16, 128),
    "stsb": Comparison("stsb", "glue", 480, 300, 1, 2e-4, 16, 128),
    "squad1": Comparison("squad1", "squad", 160, 80, 2, 2e-4, 8, 256),
}
