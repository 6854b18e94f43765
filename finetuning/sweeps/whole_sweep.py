"""A whole sweep, stage by stage, or one run of its table."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from finetuning.errors import FinetuningError
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from finetuning.sweeps.capacity import machine_slots
from finetuning.sweeps.child_processes import Executor, Outcome, run_command
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs
from finetuning.sweeps.reuse import check_present, check_starts
from finetuning.sweeps.stages import is_later_seed, kept_settings, split_stages, starting_model, unfinished_sources
from finetuning.sweeps.table import write_table

EXIT_FAILED_RUNS = 1


def run_sweep(config: SweepConfig, jobs: int | None, console: Console) -> list[Outcome]:
    """Runs everything that is not there yet, stage by stage; returns what became of every run that was due."""
    runs = plan_runs(config)
    output = Path(config.output)
    for run in runs:
        spec = run.spec(output)
        if run.wave == 0:  # where the others start is known later
            _refuse_another(spec)
    slots = machine_slots(list(config.models.values()), jobs)
    write_table(config)
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
    write_table(config)
    spec = run.spec(output, starting_model(run, runs, config))
    _refuse_another(spec)
    check_starts(spec.model, run, runs, config)
    # The array task has its own share of the machine: one slot with the environment as it is.
    slots = machine_slots([spec.model], jobs=1)[:1]
    outcomes = Executor(output, slots, config.retries, run_command, lambda outcome: None).execute([(run, spec)])
    return conclude(outcomes, console)


def conclude(outcomes: Sequence[Outcome], console: Console) -> int:
    """Say what became of the runs, each failure with its reason; returns the exit code."""
    counts = Counter(outcome.state for outcome in outcomes)
    console.print(
        f"{counts['finished']} runs finished, {counts['present']} were there, {counts['failed']} failed",
        highlight=False,
    )
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"failed after {outcome.attempts} attempts: {outcome.run.folder}: {outcome.message}", file=sys.stderr)
    return EXIT_FAILED_RUNS if counts["failed"] else 0


def _refuse_another(spec: RunSpec) -> None:
    if remark := check_present(spec):
        print(remark, file=sys.stderr)
