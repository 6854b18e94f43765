"""Writes a checkpoint of a run as a Hugging Face folder: ``python -m pretraining.export RUN [--step N]``.

One process, without the ranks that trained; the run itself exports its last step when it ends.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError, ended_by


def option_parser() -> OptionParser:
    """Which checkpoint, and where the folder goes."""
    parser = OptionParser("python -m pretraining.export", (__doc__ or "").split(":")[0] + ".", PretrainingError)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, output.folder of its recipe")
    parser.add_argument("--step", type=int, metavar="N", help="the checkpoint of this step; left out: the newest")
    text = "the folder to write; left out: RUN/export-stepN"
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=text)
    text = "folder with the tokenizer; left out: that of the recipe's shards"
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER", help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        given = option_parser().parse_args(argv)
        # Late: the help and a wrong option need no torch.
        from preprocessing.shards import ShardSet
        from pretraining.run.export_folder import export_checkpoint
        from pretraining.run.saved.saved_run import read_run

        run = read_run(given.run, given.step)
        output = given.output or run.folder / f"export-{run.checkpoint.name}"
        if output.exists():
            raise PretrainingError(f"{output} is there already; remove it, or choose another --output")
        tokenizer = given.tokenizer or Path(ShardSet.open(run.recipe.data.shards[0]).tokenizer_path)
        export_checkpoint(run, tokenizer, output)
    except (PretrainingError, PreprocessingError, OSError) as error:
        return ended_by(error)
    print(output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
