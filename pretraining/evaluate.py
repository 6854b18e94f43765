"""Held-out figures of a model on shards, whichever length and run it comes from.

    python -m pretraining.evaluate --model RUN/export --shards SHARDS --sequence-length 128 --output FIGURES.json

The sample of held-out examples is the same as during training for the same `--examples`, so figures compare.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from preprocessing.arguments import OptionParser, positive
from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from preprocessing.progress import add_quiet, progress_of
from pretraining.errors import PretrainingError, ended_by


def option_parser() -> OptionParser:
    """What to evaluate on what."""
    parser = OptionParser("python -m pretraining.evaluate", __doc__.split("\n")[0], PretrainingError)
    text = "a Hugging Face BERT folder with pretraining heads, for instance RUN/export"
    parser.add_argument("--model", type=Path, metavar="FOLDER", required=True, help=text)
    text = "folders of shards with held-out examples"
    parser.add_argument("--shards", type=Path, metavar="FOLDER", required=True, nargs="+", help=text)
    parser.add_argument(
        "--sequence-length", type=int, metavar="N", default=128, help="which of the shards' lengths, in pieces"
    )
    parser.add_argument("--examples", type=int, metavar="N", default=10_000, help="held-out examples, at most")
    parser.add_argument("--batch-size", type=positive, metavar="N", default=32, help="examples per forward pass")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON file; left out: standard output")
    add_quiet(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        given = option_parser().parse_args(argv)
        # Late: the help and a wrong option need no torch.
        from pretraining.run.saved.exported_model import evaluate

        asked = (given.model, given.shards, given.sequence_length, given.examples, given.batch_size)
        figures = evaluate(*asked, progress_of(given))
        text = json.dumps({source: asdict(value) for source, value in figures.items()}, indent=1) + "\n"
        if given.output is None:
            print(text, end="")
        else:
            write_text(given.output, text)
    except (PretrainingError, PreprocessingError) as error:
        return ended_by(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
