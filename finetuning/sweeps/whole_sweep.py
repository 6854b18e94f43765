"""A whole sweep, stage by stage, or one run of its table."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Console

from finetuning.errors import EXIT_RETRY, INTERRUPTED, FinetuningError
from finetuning.run.result import Result
from finetuning.run.resume.training_file import saved_step
from finetuning.sweeps.announcement import announce, work_of
from finetuning.sweeps.attempts import LOGS, OUTPUT, last_lines, mark_failed
from finetuning.sweeps.capacity import machine_slots
from finetuning.sweeps.child_processes import Executor, Outcome, run_command
from finetuning.sweeps.durations import Durations
from finetuning.sweeps.grid import PlannedRun
from finetuning.sweeps.plan import Plan
from finetuning.sweeps.progress_line import ProgressLine
from finetuning.sweeps.reuse import FinishedRuns, finished_without, lacking
from finetuning.sweeps.stages import is_later_seed, kept_settings, split_stages, starting_model, waiting_for
from finetuning.sweeps.table import changes, write_table

EXIT_FAILED_RUNS = 1


def preview(plan: Plan, jobs: int | None, *, again: bool = False) -> tuple[list[str], list[str]]:
    """What a sweep would do, and what there is to remark, a sentence each; nothing is started or written.

    Raises FinetuningError where `run_sweep` would refuse at once.
    """
    remarks = [*changes(plan), *_check_finished(plan, FinishedRuns(plan), again)]
    slots = machine_slots(list(plan.config.models.values()), jobs)
    work = work_of(plan, _standing(plan, again))
    return announce(plan, work, slots, Durations.of(plan.output, plan.runs)), remarks


def run_sweep(
    plan: Plan, jobs: int | None, console: Console, *, again: bool = False, quiet: bool = False
) -> list[Outcome]:
    """Runs everything that is not there yet, stage by stage; returns what became of every run that was due.

    Args:
        plan: the runs.
        jobs: how many at once; None: what the machine bears.
        console: where what becomes of them is said.
        again: make runs again that were told to leave out what is asked for now, as the model.
        quiet: say only what is wrong.
    """
    config, runs, output = plan.config, plan.runs, plan.output
    finished = FinishedRuns(plan)
    remarks = [*changes(plan), *_check_finished(plan, finished, again)]
    slots = machine_slots(list(config.models.values()), jobs)
    stands = _standing(plan, again)
    work, durations = work_of(plan, stands), Durations.of(output, runs)
    for sentence in () if quiet else announce(plan, work, slots, durations):
        console.print(sentence, highlight=False, markup=False)
    for remark in remarks:
        print(remark, file=sys.stderr)
    if plan.file is None:
        plan.write()
    write_table(config)
    outcomes: list[Outcome] = []
    line = ProgressLine(output, work.stages, durations, len(slots), console, quiet=quiet)

    def settle(outcome: Outcome) -> None:
        outcomes.append(outcome)
        line.settled(outcome)

    executor = Executor(output, slots, config.retries, run_command, line.settled, line.tick, lambda run, _: stands(run))
    starts: dict[tuple[str, int, int | None], str] = {}  # settled once, whatever another process may finish meanwhile
    try:
        for stage in split_stages(runs, config):
            due = []
            for run in stage:
                if waiting := waiting_for(run, runs, config):  # they were postponed
                    settle(Outcome(run, "postponed", 0, _needs(waiting, runs)))
                    continue
                if is_later_seed(run, config) and run.setting not in kept_settings(run, runs, config)[0]:
                    line.dropped(run)
                    continue
                own = run.seed if run.wave and config.mnli_run == "same seed" else None
                start = (run.model_label, run.wave, own)
                if start not in starts:
                    try:
                        starts[start] = starting_model(run, runs, config)
                    except FinetuningError as error:
                        settle(_left_out(plan, run, str(error)))
                        continue
                    finished.check_starts(starts[start], run, plan)
                due.append((run, run.spec(output, starts[start])))
            outcomes += executor.execute(due)
    finally:
        line.end()
    if changed := _changed_meanwhile(plan):
        print(changed, file=sys.stderr)
    return outcomes


def run_one(plan: Plan, index: int, console: Console, *, again: bool = False) -> int:
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
    finished, stands = FinishedRuns(plan), _standing(plan, again)
    finished.check(spec)
    for remark in finished.remarks():
        print(remark, file=sys.stderr)
    finished.check_starts(spec.model, run, plan)
    # The array task has its own share of the machine: one slot with the environment as it is.
    slots = machine_slots([spec.model], jobs=1)[:1]
    executor = Executor(
        output, slots, config.retries, run_command, lambda outcome: None, stands=lambda run, _: stands(run)
    )
    return conclude(executor.execute([(run, spec)]), console)


def _check_finished(plan: Plan, finished: FinishedRuns, again: bool) -> list[str]:
    """Refuses results that do not stand for their run; what there is to remark on the others."""
    specs = [run.spec(plan.output) for run in plan.runs if run.wave == 0]  # where the others start is known later
    for spec in specs:
        finished.check(spec)
    lacking = None if again else finished_without(plan)
    return [*finished.remarks(), *([lacking] if lacking else [])]


def _changed_meanwhile(plan: Plan) -> str | None:
    """A remark where a finished run had other inputs than there are now: some runs of the sweep had others."""
    finished = FinishedRuns(plan)
    try:
        for run in plan.runs:
            if run.wave == 0:
                finished.check(run.spec(plan.output))
    except FinetuningError as error:
        return f"changed while the sweep ran, so that its runs cannot be compared: {error}"
    return None


def _standing(plan: Plan, again: bool) -> Callable[[PlannedRun], bool]:
    """Whether a run's result is there, and where runs are made `again`, with all that is asked for.

    Which are made again is settled at once: while the best MNLI run is, another one is the best. Whether it was done is
    looked up each time, as another sweep may have.
    """
    chosen = {run for run in plan.runs if lacking(run, plan)} if again else set()

    def stands(run: PlannedRun) -> bool:
        return Result.exists(plan.output / run.folder) and not (run in chosen and lacking(run, plan))

    return stands


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
