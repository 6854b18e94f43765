"""Writes the card of a saved model anew, with the scores of the other seeds of a sweep.

    python -m finetuning.model_card RUN --sweep runs/sweep

A run knows its own seed alone. Of the runs below the folders those count that differ from RUN in nothing but the seed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by, show_log
from preprocessing.arguments import OptionParser


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.model_card", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("run", type=Path, metavar="RUN", help="a finished run with a saved model")
    text = "folders of sweeps or of single runs, RUN among them or not"
    parser.add_argument("--sweep", type=Path, nargs="+", metavar="FOLDER", required=True, help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    show_log()
    try:
        options = option_parser().parse_args(argv)
        # Late: the help and a wrong option need no torch.
        from finetuning.reporting.gather import find_runs
        from finetuning.reporting.significance import summarise
        from finetuning.run.checkpoint import read_description
        from finetuning.run.model_card import OverSeeds, add_seeds
        from finetuning.run.result import Result

        result = Result.read(options.run)
        task, labels, _ = read_description(options.run / "model")
        own = next(run for run in find_runs([options.run]) if run.folder == options.run)
        # By their results, not by folder: one run may lie below two of the folders.
        runs = {
            run.result.seed: run.result
            for run in [*find_runs(options.sweep), own]
            if run.result.task == result.task
            and run.result.model_fingerprint == result.model_fingerprint
            and run.setting == own.setting
        }
        seeds = tuple(sorted(runs))
        scores = tuple(runs[seed].score for seed in seeds)
        summary = summarise(scores)
        over_seeds = OverSeeds(
            seeds,
            scores,
            failed=sum(run.failed_run for run in runs.values()),
            mean=summary.mean,
            standard_deviation=summary.standard_deviation,
            interval=None if summary.interval is None else (summary.interval.low, summary.interval.high),
        )
        path = add_seeds(options.run / "model", task, labels, result, over_seeds)
        if path is None:
            raise FinetuningError(f"{options.run / 'model'}: its cards were edited, and stay; rename one of them")
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    print(f"{path}: {len(seeds)} seeds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
