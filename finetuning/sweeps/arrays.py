"""A sweep's plan as Slurm job arrays: in pieces that the cluster takes, only of what is missing, in order."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.result import Result
from finetuning.sweeps.attempts import LOGS
from finetuning.sweeps.grid import PlannedRun
from finetuning.sweeps.limits import SCRIPT, array_limit
from finetuning.sweeps.plan import PLANS, Plan
from finetuning.sweeps.reuse import lacking
from finetuning.sweeps.stages import first_runs, is_later_seed, kept_settings, split_stages, stage_name

SLURM_LOGS = "slurm"
AT_ONCE = 8
"""Tasks that run at once where `--jobs` does not say: a usual node's GPUs, so that others get on as well."""


@dataclass(frozen=True, slots=True)
class JobArray:
    """One call of sbatch. `after`: places in the list of those that must have ended before."""

    stage: str
    array: str
    after: tuple[int, ...]
    dependency: str
    options: tuple[str, ...]
    script: str
    arguments: tuple[str, ...]

    @property
    def tasks(self) -> int:
        """How many runs it has."""
        parts = [part.split("-") for part in self.array.partition("%")[0].split(",")]
        return sum(int(part[-1]) - int(part[0]) + 1 for part in parts)


def job_arrays(
    plan: Plan,
    file: Path,
    *,
    jobs: int | None = None,
    most: int | None = None,
    options: Sequence[str] = (),
    again: bool = False,
) -> list[JobArray]:
    """The arrays for the runs of `plan` that have no result yet.

    Each waits until the one before has ended, in whatever way: a later stage reads the results of an earlier one, and
    pieces of one stage would run more than `jobs` tasks at once side by side.

    Args:
        plan: the runs.
        file: where the plan lies; array tasks read it.
        jobs: how many tasks run at once.
        most: most tasks of one array; None: what the cluster says.
        options: further ones for sbatch.
        again: runs too that were told to leave out what is asked for now.

    Raises:
        FinetuningError: `jobs` or `most` is not positive, or the cluster takes no arrays.
    """
    for name, value in (("--jobs", jobs), ("--array-size", most)):
        if value is not None and value < 1:
            raise FinetuningError(f"{name} {value}: at least one is needed")
    # In a file name of sbatch % begins a pattern, and %% is one.
    settings = (f"--output={str(slurm_logs(plan)).replace('%', '%%')}/%A_%a.log", *options)
    places = {run: index for index, run in enumerate(plan.runs)}
    arrays: list[JobArray] = []
    due, size = _due(plan, again), most or array_limit()
    for stage in split_stages(plan.runs, plan.config):
        indices = [places[run] for run in stage if run in due]
        for first, numbers in _pieces(indices, size):
            arrays.append(
                JobArray(
                    stage_name(stage[0], plan.config),
                    f"{_ranges(numbers)}%{jobs or AT_ONCE}",
                    (len(arrays) - 1,) if arrays else (),
                    "afterany",
                    settings,
                    SCRIPT,
                    ("--plan", str(file), *(("--again",) if again else ()), "--array-offset", str(first)),
                )
            )
    return arrays


def _job_name(plan: Plan) -> str:
    """Of all arrays of a sweep, by its folder: they are found by it."""
    return f"bert-finetune-{hashlib.sha256(str(plan.output.resolve()).encode()).hexdigest()[:8]}"


def slurm_logs(plan: Plan) -> Path:
    """The folder of the logs of array tasks."""
    return plan.output / LOGS / SLURM_LOGS


def _due(plan: Plan, again: bool) -> set[PlannedRun]:
    """The runs to submit. Further seeds of every setting are until all first runs of a task have their scores."""
    due = {run for run in plan.runs if not Result.exists(plan.output / run.folder) or (again and lacking(run, plan))}
    kept: dict[tuple[str, str], list[tuple[str, str, float, int, float]] | None] = {}
    for run in [run for run in due if is_later_seed(run, plan.config)]:
        group = (run.model_label, run.task_name)
        if group not in kept:
            is_settled = due.isdisjoint(first_runs(run, plan.runs, plan.config))
            kept[group] = kept_settings(run, plan.runs, plan.config)[0] if is_settled else None
        settings = kept[group]
        if settings is not None and run.setting not in settings:
            due.remove(run)
    return due


def as_content(arrays: Sequence[JobArray]) -> list[dict[str, object]]:
    """The arrays as plain data for JSON."""
    return [asdict(array) for array in arrays]


def as_script(arrays: Sequence[JobArray], plan: Plan, file: Path, left_out: int = 0) -> str:
    """A bash script that submits the arrays and says their numbers, and of how many further runs there was no room.

    It copies the code before, unless CODE_FOLDER names a copy.
    """
    if not arrays:
        return f"echo {shlex.quote(f'nothing to submit: every run of {plan.output} has its result')}"
    name = _job_name(plan)
    asked = shlex.join(("squeue", "--me", "--noheader", "--format=%F", f"--name={name}"))
    again = f"{plan.output}: this sweep is in the queue already: wait for it, or end it by scancel --name={name}; job "
    failed = "not everything was submitted, as is said above. What was stands in the queue; when it is over, the same"
    failed += (
        " command again submits what is then missing. Where jobs of a user are limited, --array-size N makes pieces"
    )
    copy = (sys.executable, "-m", "cluster.snapshot", str(plan.output / PLANS))
    lines = [
        # With quotes and escapes: a line break in the name would end the comment.
        f"# {str(file)!r}: {len(arrays)} job arrays. Tasks read this plan: the sweep's file may be edited meanwhile.",
        "set -euo pipefail",
        'unset "${!SQUEUE_@}"',  # the user's own, which may show a part of the queue
        # Twice in the queue, each run would be waited for by a second task, which holds a node meanwhile.
        f'queued=$({asked} | sort -u | paste -sd " ")',
        f'[[ -z "$queued" ]] || {{ echo {shlex.quote(again)}"$queued" >&2; exit 2; }}',
        f"trap {shlex.quote(f'echo {shlex.quote(failed)} >&2')} ERR",
        # As with the plan: the tasks run this code, whatever becomes of the checkout.
        f'[[ -n "${{CODE_FOLDER:-}}" ]] || CODE_FOLDER=$({shlex.join(copy)})',
        "export CODE_FOLDER",
    ]
    for number, array in enumerate(arrays):
        words = ["sbatch", "--parsable", f"--array={array.array}", f"--job-name={name}", *array.options]
        wait = "".join(f':"${{job{before}%%;*}}"' for before in array.after)
        if wait:
            wait = f" --dependency={array.dependency}{wait}"
        lines.append(f"job{number}=$({shlex.join(words)}{wait} {shlex.join((array.script, *array.arguments))})")
        lines.append(f'echo "job ${{job{number}%%;*}}, {array.stage}: tasks {array.array}"')
    if left_out:
        rest = f"{left_out} runs have no room in the queue: when these are over, the same command again submits them"
        lines.append(f"echo {shlex.quote(rest)}")
    return "\n".join(lines)


def fitting(arrays: Sequence[JobArray], plan: Plan, room: int | None) -> tuple[list[JobArray], int]:
    """The first arrays that the queue has room for, and how many runs are left out; None: it has no limit.

    An array goes as a whole: what is left out is submitted by the same command when these are over.

    Raises:
        FinetuningError: not even the first fits.
    """
    kept: list[JobArray] = []
    free = room
    for array in arrays:
        if free is None or array.tasks <= free:
            kept.append(array)
            free = None if free is None else free - array.tasks
        else:
            break
    if arrays and not kept:
        raise FinetuningError(
            f"{plan.output}: the queue takes {room} more jobs of yours, the first array has {arrays[0].tasks} runs and "
            f"each is one: wait until others are over{f', or give --array-size {room}' if room else ''}"
        )
    return kept, sum(array.tasks for array in arrays[len(kept) :])


def _pieces(due: Sequence[int], most: int) -> Iterator[tuple[int, list[int]]]:
    """Indices in pieces whose numbers, counted from the piece's first, stay below `most`, which is Slurm's rule."""
    rest = list(due)
    while rest:
        first = rest[0]
        count = sum(index - first < most for index in rest)
        yield first, [index - first for index in rest[:count]]
        rest = rest[count:]


def _ranges(numbers: Sequence[int]) -> str:
    """`0-3,7` for 0, 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)
