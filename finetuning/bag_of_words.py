"""A linear model on words, without any pretraining: what a pretrained model has to beat.

python -m finetuning.bag_of_words --task cola --data GLUE --output runs/sweep --seeds 1,2,3,4,5
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by, show_log
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from preprocessing.arguments import OptionParser
from preprocessing.progress import add_quiet, progress_of

FOLDER = "bag-of-words"
"""Below the output, where a sweep has the label of a model."""


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.bag_of_words", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("--task", required=True, help="name or .toml file of a task")
    parser.add_argument(
        "--data", type=Path, help="folder of the task's files; left out: the Hugging Face hub, or the .toml's folder"
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help=f"a sweep's folder, whose report then shows it, or any other; runs lie in {FOLDER}/TASK/seed-N below it",
    )
    parser.add_argument(
        "--seeds",
        "--seed",
        default="1",
        metavar="N,N",
        help="each draws the training rows that choose the strength of the penalty; several with commas between",
    )
    parser.add_argument(
        "--skip-malformed", action="store_true", help="TSV and CSV: pass over lines with a wrong number of fields"
    )
    parser.add_argument("--limit-train", type=int, metavar="N", help="only the first N training rows")
    parser.add_argument("--limit-dev", type=int, metavar="N", help="only the first N rows of every other split")
    add_quiet(parser)
    return parser


def specifications(options: argparse.Namespace) -> list[RunSpec]:
    """What each seed's run is asked to do.

    Raises:
        FinetuningError: no such task, a seed that is no whole number or stands there twice, or a limit below 1.
    """
    from finetuning.baselines.bag_of_words import specification
    from finetuning.kinds.loading import load_task

    given = options.seeds.split(",")
    if wrong := [seed for seed in given if not (seed.isascii() and seed.isdecimal() and len(seed) < 19)]:
        raise FinetuningError(f"--seeds {options.seeds}: {wrong[0]!r} is no whole number of 0 or more")
    seeds = [int(seed) for seed in given]
    if len(set(seeds)) < len(seeds):
        raise FinetuningError(f"--seeds {options.seeds}: one stands there twice; name each once")
    for name in ("limit_train", "limit_dev"):
        if (limit := getattr(options, name)) is not None and limit < 1:
            raise FinetuningError(f"--{name.replace('_', '-')} {limit}: must be at least 1")
    folder = options.output / FOLDER / load_task(options.task).name
    return [
        specification(
            options.task,
            options.data,
            folder / f"seed-{seed}",
            seed,
            skip_malformed=options.skip_malformed,
            limit_train=options.limit_train,
            limit_dev=options.limit_dev,
        )
        for seed in seeds
    ]


def finished(spec: RunSpec) -> Result | None:
    """The result of this run where it is there; FinetuningError where it is of other options, or of other data."""
    if not Result.exists(spec.output):
        return None
    result = Result.read(spec.output)
    if result.spec != spec:
        raise FinetuningError(
            f"{spec.output}: holds a run with other options; choose another --output or delete that folder"
        )
    result.refuse_changed_inputs()
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    show_log()
    try:
        options = option_parser().parse_args(argv)
        show_log(quiet=options.quiet)
        progress = progress_of(options)
        # Late: the help and a wrong option need no torch.
        from finetuning.baselines.bag_of_words import run_bag_of_words

        results = [finished(spec) or run_bag_of_words(spec, progress) for spec in specifications(options)]
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    for result in results:
        print(
            f"{result.task}, seed {result.seed}: {result.metric} {result.score:.4f} ({result.beside_constant}), "
            f"{result.seconds:.1f} s"
        )
    if len(results) > 1:
        scores = [result.score for result in results]
        print(f"mean {statistics.fmean(scores):.4f} ± {statistics.stdev(scores):.4f} over {len(scores)} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
