"""A whole sweep, stage by stage, or one run of its table."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from finetuning.errors import EXIT_RETRY, INTERRUPTED, FinetuningError
from finetuning.run.result import Result
from finetuning.run.resume.training_file import saved_step
from finetuning.run.specification import RunSpec
from finetuning.sweeps.attempts import LOGS, OUTPUT, last_lines, mark_failed
from finetuning.sweeps.capacity import machine_slots
from finetuning.sweeps.child_processes import Executor, Outcome, run_command
from finetuning.sweeps.grid import PlannedRun
from finetuning.sweeps.plan import Plan
from finetuning.sweeps.reuse import check_present, check_starts
from finetuning.sweeps.stages import is_later_seed, kept_settings, split_stages, starting_model, waiting_for
from finetuning.sweeps.table import write_table

EXIT_FAILED_RUNS = 1


def run_sweep(plan: Plan, jobs: int | None, console: Console) -> list[Outcome]:
    """Runs everything that is not there yet, stage by stage; returns what became of every run that was due."""
    config, runs, output = plan.config, plan.runs, plan.output
    for run in runs:
        spec = run.spec(output)
        if run.wave == 0:  # where the others start is known later
            _refuse_another(spec)
    slots = machine_slots(list(config.models.values()), jobs)
    plan.write_tasks()
    write_table(config)
    done = 0
    outcomes: list[Outcome] = []

    def report(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        scored = outcome.state in ("present", "finished")
        score = f"  score {Result.read(output / outcome.run.folder).score:.4f}" if scored else ""
        detail = f"  {outcome.message}" if outcome.message else ""
        console.print(
            f"{done}/{len(runs)} {outcome.state:8} {outcome.run.folder}{score}{detail}", highlight=False, markup=False
        )

    def settle(outcome: Outcome) -> None:
        outcomes.append(outcome)
        report(outcome)

    executor = Executor(output, slots, config.retries, run_command, report)
    starts: dict[tuple[str, int], str] = {}  # settled once, whatever another process may finish meanwhile
    for stage in split_stages(runs, config):
        due = []
        for run in stage:
            if waiting := waiting_for(run, runs, config):  # they were postponed
                settle(Outcome(run, "postponed", 0, _needs(waiting, runs)))
                continue
            if is_later_seed(run, config) and run.setting not in kept_settings(run, runs, config)[0]:
                continue
            start = (run.model_label, run.wave)
            if start not in starts:
                try:
                    starts[start] = starting_model(run, runs, config)
                except FinetuningError as error:
                    settle(_left_out(plan, run, str(error)))
                    continue
                for remark in check_starts(starts[start], run, runs, config):
                    print(remark, file=sys.stderr)
            due.append((run, run.spec(output, starts[start])))
        outcomes += executor.execute(due)
    return outcomes


def run_one(plan: Plan, index: int, console: Console) -> int:
    """One run of the table, for a task of a job array; returns the exit code."""
    config, runs, output = plan.config, plan.runs, plan.output
    run = _run_at(plan, index)
    if waiting := waiting_for(run, runs, config):
        return conclude([_left_out(plan, run, _needs(waiting, runs))], console)
    if is_later_seed(run, config):
        settings, _ = kept_settings(run, runs, config)
        if not settings:
            return conclude(
                [_left_out(plan, run, "every run of the first seeds failed, so no setting goes on")], console
            )
        if run.setting not in settings:
            console.print(
                f"{run.folder}: this setting is not among the best after the first seeds: not run", markup=False
            )
            return 0
    try:
        start = starting_model(run, runs, config)
    except FinetuningError as error:
        return conclude([_left_out(plan, run, str(error))], console)
    if plan.file is None:  # otherwise who made the plan wrote it, and a newer one may stand there
        plan.write_tasks()
        write_table(config)
    spec = run.spec(output, start)
    _refuse_another(spec)
    check_starts(spec.model, run, runs, config)
    # The array task has its own share of the machine: one slot with the environment as it is.
    slots = machine_slots([spec.model], jobs=1)[:1]
    outcomes = Executor(output, slots, config.retries, run_command, lambda outcome: None).execute([(run, spec)])
    return conclude(outcomes, console)


def progress(plan: Plan, index: int | None) -> tuple[str, str, str]:
    """What the job of a sweep, or of one run, needs to know before it goes back into the queue, a line each.

    Where its logs lie; how far it is, in words that change when it gets on; and `interrupted` where a run without a
    result was ended by a signal, or else `not interrupted`.
    """
    runs = plan.runs if index is None else [_run_at(plan, index)]
    due = [run for run in runs if not Result.exists(plan.output / run.folder)]
    logs = plan.output / LOGS
    steps = sum(saved_step(plan.output / run.folder) for run in due)
    is_interrupted = any(last_lines(logs / run.folder / OUTPUT) == [INTERRUPTED] for run in due)
    return (
        str(logs if index is None else logs / runs[0].folder),
        f"{len(runs) - len(due)} results, {steps} saved steps",
        "interrupted" if is_interrupted else "not interrupted",
    )


def _run_at(plan: Plan, index: int) -> PlannedRun:
    if not 0 <= index < len(plan.runs):
        raise FinetuningError(f"--array-index {index} is not in this sweep: it has runs 0 to {len(plan.runs) - 1}")
    return plan.runs[index]


def conclude(outcomes: Sequence[Outcome], console: Console) -> int:
    """Say what became of the runs, each failure with its reason; returns the exit code."""
    counts = Counter(outcome.state for outcome in outcomes)
    postponed = f", {counts['postponed']} postponed" if counts["postponed"] else ""
    console.print(
        f"{counts['finished']} runs finished, {counts['present']} were there, {counts['failed']} failed{postponed}",
        highlight=False,
    )
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"failed after {outcome.attempts} attempts: {outcome.run.folder}: {outcome.message}", file=sys.stderr)
        elif outcome.state == "postponed":
            print(f"postponed: {outcome.run.folder}: {outcome.message}", file=sys.stderr)
    if counts["postponed"]:
        print("nothing is wrong with what was postponed: the same command again goes on with it", file=sys.stderr)
        return EXIT_RETRY
    return EXIT_FAILED_RUNS if counts["failed"] else 0


def _needs(waiting: Sequence[PlannedRun], runs: Sequence[PlannedRun]) -> str:
    first = f"--array-index {runs.index(waiting[0])} ({waiting[0].folder})"
    return f"it needs {len(waiting)} runs that are not finished, first {first}"


def _left_out(plan: Plan, run: PlannedRun, why: str) -> Outcome:
    mark_failed(plan.output, run, "left out", 0, why)
    return Outcome(run, "failed", 0, f"left out: {why}")


def _refuse_another(spec: RunSpec) -> None:
    if remark := check_present(spec):
        print(remark, file=sys.stderr)
