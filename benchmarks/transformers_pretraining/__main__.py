"""Pretraining by `transformers` by one of our recipes, on our shards, for a budget of steps or seconds.

    python -m benchmarks.transformers_pretraining --shards SHARDS --config RECIPE.toml --output FOLDER --seconds 3600

What comes out is scored by our own evaluation. docs/model-speed.md says what is the same as here, and what is not.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.transformers_pretraining.settings import LOOPS, read_settings
from preprocessing.arguments import OptionParser, positive
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError, ended_by


def option_parser() -> OptionParser:
    """Which recipe, on what, for how long."""
    described = (__doc__ or "").split("\n")[0]
    parser = OptionParser("python -m benchmarks.transformers_pretraining", described, PretrainingError)
    text = "folders of shards; several are laid end to end"
    parser.add_argument("--shards", type=Path, metavar="FOLDER", required=True, nargs="+", help=text)
    parser.add_argument("--config", type=Path, metavar="FILE", required=True, help="a recipe of pretraining/main.py")
    text = "folder of the run: a complete one is left as it is, a run that was killed begins anew"
    parser.add_argument("--output", type=Path, metavar="FOLDER", required=True, help=text)
    budget = parser.add_mutually_exclusive_group()
    text = "seconds of training, over which the rate falls to its end; left out: the recipe's budget"
    budget.add_argument("--seconds", type=float, metavar="S", help=text)
    text = "folder of a finished run of pretraining/main.py: as many seconds of training as that one had"
    budget.add_argument("--as-long-as", type=Path, metavar="RUN", help=text)
    text = "optimiser steps, over which the rate falls to its end; left out: the recipe's budget"
    budget.add_argument("--steps", type=positive, metavar="N", help=text)
    text = "threads of torch, in training and evaluation"
    parser.add_argument("--threads", type=positive, metavar="N", default=2, help=text)
    text = "first weights: published or neighbours (random, our own for the recipe's seed), or a folder to start from; "
    text += "left out: as the recipe says"
    parser.add_argument("--init", metavar="NAME", help=text)
    text = "whose loop: the Trainer of transformers, or a plain one around the same model"
    parser.add_argument("--loop", choices=LOOPS, default="trainer", help=text)
    text = "sequences per forward pass; left out: the recipe's, or where that says auto at most 32"
    parser.add_argument("--micro-batch-size", type=positive, metavar="N", help=text)
    text = "draw batches at random instead of sequences of one length together (group_by_length of the Trainer)"
    parser.add_argument("--no-grouping", action="store_true", help=text)
    text = "change a key of the recipe, as --set optimizer.learning_rate=3e-4; may be repeated"
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        given = option_parser().parse_args(argv)
        settings = read_settings(given)
        # Late: torch and transformers take seconds, also before a wrong option.
        from benchmarks.transformers_pretraining.run import run

        print(run(settings, given.output))
    except (PretrainingError, PreprocessingError) as error:
        return ended_by(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
