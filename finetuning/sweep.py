"""Sweeps: tasks × learning rates × batch sizes × epochs × seeds, here or as a Slurm job array.

    python -m finetuning.sweep sweep.toml                      # as many runs at once as the machine bears
    python -m finetuning.sweep --models runs/export --tasks cola,rte --data glue --output runs/sweep
    python -m finetuning.sweep sweep.toml --list               # the table of runs
    python -m finetuning.sweep sweep.toml --slurm              # prints the sbatch commands
    python -m finetuning.sweep sweep.toml --array-index 7      # one run of the table: what an array task calls

A run whose `result.json` is there is not run again, so the same command resumes a sweep that was killed. Exit codes:
0 all runs are there, 1 some failed (they are listed), 2 wrong input, 75 interrupted, or the disk is full: the same
command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from finetuning.atomic_file import write_json
from finetuning.errors import EXIT_RETRY, FinetuningError, ended_by
from finetuning.reporting.gather import SWEEP_FILE
from finetuning.run.result import Result, RunSpec
from finetuning.sweeps.capacity import machine_slots
from finetuning.sweeps.execution import Executor, Outcome, run_command
from finetuning.sweeps.grid import SweepConfig, load_config, plan_runs
from finetuning.sweeps.stages import (
    check_present,
    check_starts,
    is_later_seed,
    kept_settings,
    split_stages,
    starting_model,
    unfinished_sources,
)

EXIT_FAILED_RUNS = 1
SBATCH = "cluster/slurm/finetune.sbatch"


def run_sweep(config: SweepConfig, jobs: int | None, console: Console) -> list[Outcome]:
    """Runs everything that is not there yet, stage by stage; returns what became of every run that was due."""
    runs = plan_runs(config)
    output = Path(config.output)
    for run in runs:
        spec = run.spec(output)
        if run.wave == 0:  # where the others start is known later
            _refuse_another(spec)
    slots = machine_slots(list(config.models.values()), jobs)
    _write_table(config)
    done = 0

    def report(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        score = "" if outcome.state == "failed" else f"  score {Result.read(output / outcome.run.folder).score:.4f}"
        detail = f"  {outcome.message}" if outcome.message else ""
        console.print(
            f"{done}/{len(runs)} {outcome.state:8} {outcome.run.folder}{score}{detail}", highlight=False, markup=False
        )

    executor = Executor(output, slots, config.retries, run_command, report)
    outcomes: list[Outcome] = []
    starts: dict[tuple[str, int], str] = {}  # settled once, whatever another process may finish meanwhile
    for stage in split_stages(runs, config):
        due = []
        for run in stage:
            if is_later_seed(run, config) and run.setting not in kept_settings(run, runs, config)[0]:
                continue
            start = (run.model_label, run.wave)
            if start not in starts:
                try:
                    starts[start] = starting_model(run, runs, config)
                except FinetuningError as error:
                    outcomes.append(Outcome(run, "failed", 0, str(error)))
                    report(outcomes[-1])
                    continue
                for remark in check_starts(starts[start], run, runs, config):
                    print(remark, file=sys.stderr)
            due.append((run, run.spec(output, starts[start])))
        outcomes += executor.execute(due)
    return outcomes


def run_one(config: SweepConfig, index: int, console: Console) -> int:
    """One run of the table, for a task of a job array; returns the exit code."""
    runs = plan_runs(config)
    if not 0 <= index < len(runs):
        raise FinetuningError(f"--array-index {index} is not in this sweep: it has runs 0 to {len(runs) - 1}")
    run, output = runs[index], Path(config.output)
    waiting_for = unfinished_sources(run, runs, config)
    if is_later_seed(run, config):
        settings, unfinished = kept_settings(run, runs, config)
        waiting_for += unfinished
        if not waiting_for and not settings:
            print(f"{run.folder}: every run of the first seeds failed, so no setting goes on", file=sys.stderr)
            return EXIT_FAILED_RUNS
        if not waiting_for and run.setting not in settings:
            console.print(
                f"{run.folder}: this setting is not among the best after the first seeds: not run", markup=False
            )
            return 0
    if waiting_for:
        first = f"--array-index {runs.index(waiting_for[0])} ({waiting_for[0].folder})"
        print(f"{run.folder} needs {len(waiting_for)} runs that are not finished, first {first}", file=sys.stderr)
        return EXIT_FAILED_RUNS
    _write_table(config)
    spec = run.spec(output, starting_model(run, runs, config))
    _refuse_another(spec)
    check_starts(spec.model, run, runs, config)
    # The array task has its own share of the machine: one slot with the environment as it is.
    slots = machine_slots([spec.model], jobs=1)[:1]
    outcomes = Executor(output, slots, config.retries, run_command, lambda outcome: None).execute([(run, spec)])
    return _conclude(outcomes, console)


def slurm_commands(config: SweepConfig, arguments: Sequence[str]) -> list[str]:
    """The sbatch commands of a sweep: one job array for each stage, each waiting for the one before to end."""
    commands, first = [], 0
    for number, stage in enumerate(split_stages(plan_runs(config), config)):
        wait = f' --dependency=afterany:"$stage{number - 1}"' if number else ""
        array = f"--array={first}-{first + len(stage) - 1}"
        commands.append(f"stage{number}=$(sbatch --parsable{wait} {array} {SBATCH} {shlex.join(arguments)})")
        first += len(stage)
    return commands


def _refuse_another(spec: RunSpec) -> None:
    if remark := check_present(spec):
        print(remark, file=sys.stderr)


def _write_table(config: SweepConfig) -> None:
    """Leaves the sweep as it is now in sweep.json, and each table that was ever asked for here in a file of its own.

    A narrower second call into the same folder must not make the missing runs of the first one vanish from the report.
    """
    content = config.model_dump(mode="json")
    table = {key: value for key, value in content.items() if key != "output"}
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:12]
    output, own = Path(config.output), f"{Path(SWEEP_FILE).stem}-{digest}.json"
    for name in (own, SWEEP_FILE):
        write_json(output / name, content)


def _conclude(outcomes: Sequence[Outcome], console: Console) -> int:
    counts = Counter(outcome.state for outcome in outcomes)
    console.print(
        f"{counts['finished']} runs finished, {counts['present']} were there, {counts['failed']} failed",
        highlight=False,
    )
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"failed after {outcome.attempts} attempts: {outcome.run.folder}: {outcome.message}", file=sys.stderr)
    return EXIT_FAILED_RUNS if counts["failed"] else 0


def _print_table(config: SweepConfig, console: Console) -> None:
    table = Table("index", "stage", "model", "task", "learning rate", "batch", "epochs", "seed", "state")
    index = 0
    for number, stage in enumerate(split_stages(plan_runs(config), config)):
        for run in stage:
            state = "there" if Result.exists(Path(config.output) / run.folder) else "due"
            row = (
                index,
                number,
                run.model_label,
                run.task_name,
                f"{run.learning_rate:g}",
                run.batch_size,
                f"{run.epochs:g}",
            )
            table.add_row(*map(str, row), str(run.seed), state)
            index += 1
    console.print(table)


def _models(text: str) -> dict[str, str]:
    models: dict[str, str] = {}
    for part in text.split(","):
        label, sign, folder = part.partition("=")
        if not sign:
            label, folder = _label(part), part
        if label in models:
            raise FinetuningError(f"--models: two models are called {label!r}: write LABEL=FOLDER for each")
        models[label] = folder
    return models


def _label(folder: str) -> str:
    path = Path(folder.removeprefix("random:"))
    name = path.parent.name if path.name in ("export", "model") and path.parent.name else path.stem or "model"
    return f"random-{name}" if folder.startswith("random:") else name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m finetuning.sweep", description=__doc__.split("\n")[0])
    parser.add_argument("config", nargs="?", type=Path, help="TOML file with the keys of SweepConfig")
    parser.add_argument("--models", "--model", help="FOLDER or LABEL=FOLDER, comma-separated")
    for name in ("tasks", "learning-rates", "batch-sizes", "epochs", "seeds", "start-from-mnli"):
        parser.add_argument(f"--{name}", help="comma-separated")
    parser.add_argument("--data", help="root of the benchmark's files; default: the Hugging Face hub")
    parser.add_argument("--output", help="folder of the sweep")
    parser.add_argument("--retries", type=int, help="of a run that crashed; default 1")
    parser.add_argument("--first-seeds", type=int, help="after so many seeds only the best settings go on")
    parser.add_argument("--keep-settings", type=int, help="how many settings of each task go on")
    parser.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE", help="option of every run, e.g. max_length=128"
    )
    parser.add_argument("--jobs", type=int, help="runs at once; default: what the machine bears")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the table of runs and stop")
    what.add_argument("--count", action="store_true", help="print the number of runs and stop")
    what.add_argument("--slurm", action="store_true", help="print the sbatch commands and stop")
    what.add_argument("--array-index", type=int, help="run this one only")
    return parser


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    lists = {
        name: tuple(part for part in value.split(",") if part)
        for name in ("tasks", "learning_rates", "batch_sizes", "epochs", "seeds", "start_from_mnli")
        if (value := getattr(arguments, name)) is not None
    }
    plain = {name: getattr(arguments, name) for name in ("data", "output", "retries", "first_seeds", "keep_settings")}
    values: dict[str, Any] = {**lists, **plain}
    if arguments.models is not None:
        values["models"] = _models(arguments.models)
    options = {}
    for item in arguments.set:
        name, sign, value = item.partition("=")
        if not sign:
            raise FinetuningError(f"--set {item}: write OPTION=VALUE")
        options[name] = value
    return values | ({"options": options} if options else {})


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(words)
    console = Console(soft_wrap=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the runs are ended first
    try:
        config = load_config(arguments.config, _overrides(arguments))
        if arguments.count:
            print(len(plan_runs(config)))
        elif arguments.list:
            _print_table(config, console)
        elif arguments.slurm:
            print("\n".join(slurm_commands(config, [word for word in words if word != "--slurm"])))
        elif arguments.array_index is not None:
            return run_one(config, arguments.array_index, console)
        else:
            return _conclude(run_sweep(config, arguments.jobs, console), console)
    except (FinetuningError, OSError) as error:
        return ended_by(error, "finetuning.sweep")
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        return EXIT_RETRY
    return 0


if __name__ == "__main__":
    sys.exit(main())
