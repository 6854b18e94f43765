"""A sweep's plan as Slurm job arrays: in pieces that the cluster takes, only of what is missing, in order."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.run.result import Result
from finetuning.sweeps.attempts import LOGS
from finetuning.sweeps.grid import PlannedRun
from finetuning.sweeps.plan import PLANS, Plan
from finetuning.sweeps.stages import first_runs, is_later_seed, kept_settings, split_stages, stage_name

SCRIPT = "cluster/slurm/finetune.sbatch"
SLURM_LOGS = "slurm"
MOST_TASKS = 1000
"""Tasks of an array where no cluster is asked; Slurm's own default is one more."""
AT_ONCE = 8
"""Tasks that run at once where `--jobs` does not say: a usual node's GPUs, so that others get on as well."""
ASK_SECONDS = 10


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


def job_arrays(
    plan: Plan, file: Path, *, jobs: int | None = None, most: int | None = None, options: Sequence[str] = ()
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
    due, size = _due(plan), most or array_limit()
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
                    ("--plan", str(file), "--array-offset", str(first)),
                )
            )
    return arrays


def _job_name(plan: Plan) -> str:
    """Of all arrays of a sweep, by its folder: they are found by it."""
    return f"bert-finetune-{hashlib.sha256(str(plan.output.resolve()).encode()).hexdigest()[:8]}"


def slurm_logs(plan: Plan) -> Path:
    """The folder of the logs of array tasks."""
    return plan.output / LOGS / SLURM_LOGS


def _due(plan: Plan) -> set[PlannedRun]:
    """The runs to submit. Further seeds of every setting are until all first runs of a task have their scores."""
    due = {run for run in plan.runs if not Result.exists(plan.output / run.folder)}
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


def as_script(arrays: Sequence[JobArray], plan: Plan, file: Path) -> str:
    """A bash script that submits the arrays and says their numbers.

    It copies the code before, unless CODE_FOLDER names a copy.
    """
    if not arrays:
        return f"echo {shlex.quote(f'nothing to submit: every run of {plan.output} has its result')}"
    name = _job_name(plan)
    asked = shlex.join(("squeue", "--me", "--noheader", "--format=%F", f"--name={name}"))
    again = f"{plan.output}: this sweep is in the queue already: wait for it, or end it by scancel --name={name}; job "
    failed = "not everything was submitted, as is said above. What was stands in the queue; when it is over, the same"
    failed += " command again submits what is then missing"
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
    return "\n".join(lines)


def array_limit() -> int:
    """Most tasks of an array on this cluster, by its scheduler's word; MOST_TASKS where none answers.

    Raises FinetuningError where the cluster takes no arrays.
    """
    try:
        answer = subprocess.run(
            ["scontrol", "show", "config"], capture_output=True, text=True, timeout=ASK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return MOST_TASKS
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer.stdout, flags=re.MULTILINE)
    if found is None:
        return MOST_TASKS
    if not int(found[1]):
        raise FinetuningError(
            "this cluster takes no job arrays (MaxArraySize is 0): run the sweep as one job, "
            f"sbatch {SCRIPT} --config …, or one job for each --array-index"
        )
    return int(found[1])


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
