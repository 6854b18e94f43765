"""Which small tasks a folder of data holds."""

from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.snapshot import ROOT

_FEW = ("--limit-train", "2000")  # a fit of labels of words to all sentences takes minutes
_SETS = ROOT / "finetuning" / "recipes" / "sets"


@dataclass(frozen=True)
class SmallTask:
    """A task by name; `recipe` is what `--tasks` calls it, `folder` where its files lie below the data, `shows` a file
    without which it is not there, `changes` what it does not take from `small-sets.toml`,
    `of_bag` further options of the bag of words.
    """

    name: str
    recipe: str
    folder: str
    shows: str
    changes: tuple[str, ...] = ()
    of_bag: tuple[str, ...] = ()


TASKS = (
    SmallTask("cola", "cola", "glue", "CoLA/train.tsv", ("epochs=2",)),
    SmallTask("rte", "rte", "glue", "RTE/train.tsv", ("epochs=2",)),
    SmallTask("movie-reviews", f"{_SETS}/movie-reviews.toml", "sentences", "movie-reviews/train.tsv", ("epochs=2",)),
    SmallTask("subjectivity", f"{_SETS}/subjectivity.toml", "sentences", "subjectivity/train.tsv", ("epochs=1",)),
    SmallTask("questions", f"{_SETS}/questions.toml", "sentences", "questions/train.tsv"),
    SmallTask("conll2000", "conll2000", "conll2000", "train.txt", ("epochs=1", "options.limit_train=5000"), _FEW),
    SmallTask(
        "conll2002-dutch",
        f"{_SETS}/conll2002-dutch.toml",
        "",
        "conll2002-dutch/train.txt",
        ("epochs=1", "options.limit_train=5000"),
        _FEW,
    ),
    SmallTask("squad1", "squad1", "squad", "train-v1.1.json", ("batch_sizes=16", "options.sequence_length=128")),
)


def tasks_in(data: Path) -> tuple[SmallTask, ...]:
    """Those whose files are in `data`; raises `ClusterError` where there is none."""
    found = tuple(task for task in TASKS if (data / task.folder / task.shows).is_file())
    if not found:
        wanted = ", ".join(str(Path(task.folder) / task.shows) for task in TASKS)
        raise ClusterError(f"{data}: holds none of the small tasks; give a folder with some of {wanted}")
    return found
