"""Sweeps: tasks × learning rates × batch sizes × epochs × seeds, here or as a Slurm job array.

    python -m finetuning.sweep --config sweep.toml                   # as many runs at once as the machine bears
    python -m finetuning.sweep --models runs/export --tasks cola,rte --data glue --output runs/sweep
    python -m finetuning.sweep --config sweep.toml --dry-run         # what it would do, for how long, and the table
    python -m finetuning.sweep --config sweep.toml --slurm | bash    # submits what is missing as job arrays
    python -m finetuning.sweep --config sweep.toml --slurm-json      # the same arrays, as JSON
    python -m finetuning.sweep --plan PLAN.json --array-index 7      # one run of the table: what an array task calls

A run whose `result.json` is there is not run again, so the same command resumes a sweep that was killed. Exit codes:
0 all runs are there, 1 some failed (they are listed), 2 wrong input, 75 interrupted, or the disk is full: the same
command goes on.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from finetuning.errors import EXIT_RETRY, INTERRUPTED, FinetuningError, ended_by
from finetuning.sweeps import whole_sweep
from finetuning.sweeps.arrays import AT_ONCE, as_content, as_script, fitting, job_arrays, slurm_logs
from finetuning.sweeps.config import SweepConfig, labelled_models
from finetuning.sweeps.limits import array_limit, submit_room
from finetuning.sweeps.plan import Plan, make_plan, read_plan
from finetuning.sweeps.table import print_table, write_table
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
    parser.add_argument(
        "--plan",
        type=Path,
        metavar="FILE",
        help="a plan in OUTPUT/plans, where each sweep leaves one when it begins; it says all of the above",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help=f"how many runs at once; left out: what the machine bears, in job arrays {AT_ONCE}",
    )
    parser.add_argument(
        "--array-size", type=int, metavar="N", help="most tasks of a job array; left out: what the cluster allows"
    )
    parser.add_argument(
        "--sbatch",
        type=shlex.split,
        default=(),
        metavar="OPTIONS",
        help="further options of sbatch for job arrays, in one word: --sbatch='--partition=gpu --time=2:00:00'",
    )
    parser.add_argument(
        "--array-offset", type=int, default=0, metavar="N", help="the run that --array-index 0 stands for (default: 0)"
    )
    parser.add_argument(
        "--progress",
        action="store_true",
        help="print of the sweep, or of the run of --array-index: the folder of its logs; its results and saved steps; "
        "whether a run's last word is that a signal ended it; and stop",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say how many runs are to do and for how long, print the table and stop; with --slurm-json: write "
        "nothing, so the plan that the arrays read is not there",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="make runs again that are finished without what is asked for since: save_model, predict_test, "
        "evaluate_every_epoch; a result stays until the new one is there",
    )
    parser.add_argument("--quiet", action="store_true", help="say only what fails, and at the end how many runs did")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the table of runs and stop")
    what.add_argument("--count", action="store_true", help="print the number of runs and stop")
    what.add_argument("--slurm", action="store_true", help="print a script that submits job arrays, and stop")
    what.add_argument("--slurm-json", action="store_true", help="print these job arrays as JSON, and stop")
    what.add_argument("--array-index", type=int, metavar="N", help="run only the run with this number in the table")
    return parser


def parse_sweep(argv: Sequence[str]) -> tuple[SweepConfig, argparse.Namespace]:
    """The sweep that a command line asks for, and its other options; FinetuningError where something is wrong."""
    arguments = option_parser().parse_args(argv)
    return _config(arguments), arguments


def _config(arguments: argparse.Namespace) -> SweepConfig:
    if arguments.model_list is not None:
        arguments.models = arguments.model_list
    return build_model(SweepConfig, arguments, FinetuningError)


def _plan(arguments: argparse.Namespace) -> Plan:
    if arguments.plan is None:
        return make_plan(_config(arguments))
    if given := sorted({"config", "model_list", *SweepConfig.model_fields} & _given(arguments)):
        raise FinetuningError(f"--plan says all that a sweep is, so leave out {', '.join(given)}")
    return read_plan(arguments.plan)


def _index(arguments: argparse.Namespace) -> int | None:
    return None if arguments.array_index is None else arguments.array_offset + arguments.array_index


def _given(arguments: argparse.Namespace) -> set[str]:
    return {name for name, value in vars(arguments).items() if value is not None}


def _print_arrays(plan: Plan, arguments: argparse.Namespace) -> None:
    """The job arrays of what is missing, as a script or as JSON; the plan that they read is written before."""
    file = plan.place() if arguments.dry_run else plan.write()
    if not arguments.dry_run:
        write_table(plan.config)
    most, room = arguments.array_size, None
    if arguments.slurm and (room := submit_room()):
        most = min(most or array_limit(), room)
    arrays = job_arrays(
        plan, file, jobs=arguments.jobs, most=most, options=tuple(arguments.sbatch), again=arguments.again
    )
    if not arguments.dry_run and arrays:
        slurm_logs(plan).mkdir(
            parents=True, exist_ok=True
        )  # Slurm makes no folder, and says nothing where it is missing
    if arguments.slurm_json:  # for a program that submits all or none
        print(json.dumps(as_content(arrays), indent=2))
    else:
        kept, left_out = fitting(arrays, plan, room)
        print(as_script(kept, plan, file, left_out))


def _preview(plan: Plan, arguments: argparse.Namespace, console: Console) -> None:
    lines, remarks = whole_sweep.preview(plan, arguments.jobs, again=arguments.again)
    print_table(plan, console, again=arguments.again)
    for line in lines:
        console.print(line, highlight=False, markup=False)
    for remark in remarks:
        print(remark, file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console(soft_wrap=True)
    for number in (signal.SIGTERM, signal.SIGUSR1):  # as Ctrl-C: the runs are ended first. Slurm warns by USR1
        signal.signal(number, signal.default_int_handler)
    try:
        arguments = option_parser().parse_args(words)
        plan = _plan(arguments)
        if arguments.progress:
            print("\n".join(whole_sweep.progress(plan, _index(arguments))))
        elif arguments.count:
            print(len(plan.runs))
        elif arguments.list:
            print_table(plan, console, again=arguments.again)
        elif arguments.dry_run and (arguments.slurm or arguments.array_index is not None):
            raise FinetuningError("--dry-run goes with a whole sweep or with --slurm-json: leave out the other option")
        elif arguments.dry_run and not arguments.slurm_json:
            _preview(plan, arguments, console)
        elif arguments.slurm or arguments.slurm_json:
            _print_arrays(plan, arguments)
        elif arguments.array_index is not None:
            return whole_sweep.run_one(plan, _index(arguments) or 0, console, again=arguments.again)
        else:
            outcomes = whole_sweep.run_sweep(
                plan, arguments.jobs, console, again=arguments.again, quiet=arguments.quiet
            )
            return whole_sweep.conclude(outcomes, console)
    except (FinetuningError, OSError) as error:
        return ended_by(error, "finetuning.sweep")
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return EXIT_RETRY
    return 0


if __name__ == "__main__":
    sys.exit(main())
