"""Sweeps: tasks × learning rates × batch sizes × epochs × seeds, here or as a Slurm job array.

    python -m finetuning.sweep --config sweep.toml                   # as many runs at once as the machine bears
    python -m finetuning.sweep --models runs/export --tasks cola,rte --data glue --output runs/sweep
    python -m finetuning.sweep --config sweep.toml --list            # the table of runs
    python -m finetuning.sweep --config sweep.toml --slurm           # prints the sbatch commands
    python -m finetuning.sweep --config sweep.toml --array-index 7   # one run of the table: what an array task calls

A run whose `result.json` is there is not run again, so the same command resumes a sweep that was killed. Exit codes:
0 all runs are there, 1 some failed (they are listed), 2 wrong input, 75 interrupted, or the disk is full: the same
command goes on.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from finetuning.errors import EXIT_RETRY, FinetuningError, ended_by
from finetuning.sweeps import whole_sweep
from finetuning.sweeps.config import SweepConfig, labelled_models
from finetuning.sweeps.grid import plan_runs
from finetuning.sweeps.table import print_table, slurm_commands
from preprocessing.arguments import OptionParser, add_models, build_model


def option_parser() -> OptionParser:
    """One option for each key of `SweepConfig`, and what to do with the table of runs."""
    parser = OptionParser("python -m finetuning.sweep", (__doc__ or "").split("\n")[0], FinetuningError)
    add_models(parser, (SweepConfig,), config="a sweep")
    parser.add_argument(
        "--models",
        "--model",
        dest="model_list",
        metavar="FOLDER,FOLDER",
        type=labelled_models,
        help="instead of --models.KEY: all models at once, each as FOLDER or LABEL=FOLDER",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="how many runs at once; left out: what the machine bears")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the table of runs and stop")
    what.add_argument("--count", action="store_true", help="print the number of runs and stop")
    what.add_argument("--slurm", action="store_true", help="print the sbatch commands and stop")
    what.add_argument("--array-index", type=int, metavar="N", help="run only the run with this number in the table")
    return parser


def parse_sweep(argv: Sequence[str]) -> tuple[SweepConfig, argparse.Namespace]:
    """The sweep that a command line asks for, and its other options; FinetuningError where something is wrong."""
    arguments = option_parser().parse_args(argv)
    if arguments.model_list is not None:
        arguments.models = arguments.model_list
    return build_model(SweepConfig, arguments, FinetuningError), arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console(soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the runs are ended first
    try:
        config, arguments = parse_sweep(words)
        if arguments.count:
            print(len(plan_runs(config)))
        elif arguments.list:
            print_table(config, console)
        elif arguments.slurm:
            print("\n".join(slurm_commands(config, [word for word in words if word != "--slurm"])))
        elif arguments.array_index is not None:
            return whole_sweep.run_one(config, arguments.array_index, console)
        else:
            return whole_sweep.conclude(whole_sweep.run_sweep(config, arguments.jobs, console), console)
    except (FinetuningError, OSError) as error:
        return ended_by(error, "finetuning.sweep")
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        return EXIT_RETRY
    return 0


if __name__ == "__main__":
    sys.exit(main())
