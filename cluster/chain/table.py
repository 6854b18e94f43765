"""How a chain stands: one row for each stage, by its files, the record of its jobs and Slurm's word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.table import Table

from cluster.chain.jobs import LOGS
from cluster.chain.record import Record, Submission
from cluster.chain.road import Chain
from cluster.chain.slurm import QueuedJob
from cluster.chain.stages import Stage

UNSEEN = "Slurm cannot be asked here"


@dataclass(frozen=True)
class Row:
    """A stage as the table shows it; `is_active` where something of it waits or runs."""

    stage: str
    state: str
    jobs: str
    progress: str
    expected: str
    note: str
    is_active: bool


def rows_of(
    chain: Chain, record: Record | None, jobs: Mapping[str, QueuedJob] | None, now: datetime, unseen: str = UNSEEN
) -> list[Row]:
    """A row for each stage. `jobs` is None where Slurm could not be asked, for the reason `unseen`: then files alone
    speak."""
    return [
        _row(chain, stage, record.last_round(stage.name) if record else [], jobs, now, unseen) for stage in chain.stages
    ]


def _row(
    chain: Chain,
    stage: Stage,
    submissions: Sequence[Submission],
    jobs: Mapping[str, QueuedJob] | None,
    now: datetime,
    unseen: str,
) -> Row:
    known = [jobs[one.job] for one in submissions if jobs and one.job is not None and one.job in jobs]
    active = [job for job in known if job.is_active]
    numbers = _shortened([one.job for one in submissions if one.job is not None])
    progress = stage.progress()
    text = progress.text if progress else ""
    complete = stage.is_complete()
    expected = note = ""
    if any(job.runs for job in active):
        state = "running"
        first = next(job for job in active if job.runs)
        end = progress.end(now, sum(job.running for job in active)) if progress else None
        if end is not None:
            expected = _clock(end, now)
        elif first.end is not None:
            expected = f"by {_clock(datetime.fromisoformat(first.end), now)}"
            note = "by the time limit"
    elif active:
        first = active[0]
        state = "waits"
        note = _reason(first.reason)
        if first.start is not None and first.reason != "Dependency":
            expected = f"starts {_clock(datetime.fromisoformat(first.start), now)}"
    elif complete:
        state = "complete"
    elif not submissions:
        state = "not submitted"
    elif jobs is None:
        state = "not complete"
        note = unseen
    else:
        state, note = _ended(stage, known), _log(chain, stage, submissions)
    return Row(stage.name, state, numbers, text, expected, note, bool(active))


def _ended(stage: Stage, known: Sequence[QueuedJob]) -> str:
    """The word for a stage that is not complete although its jobs are over; Slurm forgets them after some minutes."""
    states = {state for job in known for state in job.states}
    if any(job.waits_in_vain for job in known) or any(job.reason == "DependencyNeverSatisfied" for job in known):
        return "not started"
    for state, word in (("OUT_OF_MEMORY", "out of memory"), ("TIMEOUT", "out of time"), ("FAILED", "failed")):
        if state in states:
            return word
    return "cancelled" if "CANCELLED" in states else "not complete"


def _log(chain: Chain, stage: Stage, submissions: Sequence[Submission]) -> str:
    logs = [chain.output / LOGS / f"{stage.name}-{one.job}.log" for one in submissions]
    found = [str(log) for log in logs if log.is_file()]
    return f"see {found[0]}" if found else ""


def _reason(reason: str) -> str:
    known = {"Dependency": "for the stage before", "BeginTime": "requeued, starts again soon"}
    return known.get(reason, "" if reason in ("None", "JobArrayTaskLimit") else reason)


def _shortened(numbers: Sequence[str]) -> str:
    if len(numbers) > 3:
        return f"{numbers[0]} … {numbers[-1]}"
    return " ".join(numbers)


def _clock(time: datetime, now: datetime) -> str:
    return time.strftime("%H:%M" if time.date() == now.date() else "%d %b %H:%M")


def as_table(chain: Chain, rows: Sequence[Row]) -> Table:
    """The rows for a terminal."""
    table = Table("stage", "state", "job", "progress", "expected end", "note", title=str(chain.output))
    for row in rows:
        table.add_row(row.stage, row.state, row.jobs, row.progress, row.expected, row.note)
    return table
