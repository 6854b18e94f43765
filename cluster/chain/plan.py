"""What a submission has to do: a pure function of the stages, what is complete, the record and the queue."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cluster.chain.record import Record
from cluster.chain.slurm import QueuedJob
from cluster.chain.stages import Stage
from cluster.errors import ClusterError

What = Literal["complete", "active", "not needed", "submit"]


@dataclass(frozen=True)
class Decision:
    """What becomes of a stage: `jobs` are those of it that are in the queue and stay there, `cancel` those that go."""

    stage: Stage
    what: What
    jobs: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()


def decide(
    stages: Sequence[Stage],
    complete: Mapping[str, bool],
    record: Record,
    jobs: Mapping[str, QueuedJob],
    keep: Collection[str] = (),
) -> list[Decision]:
    """A decision for each stage, in order.

    `complete` says by name whether a stage's files say that it is, `keep` which of those are to be taken as they are,
    whatever was changed. Raises `ClusterError` where a stage was changed that is complete, or whose jobs are in the
    queue, or that is no longer in the file: nobody but the user knows what is meant.
    """
    _require_no_strays(stages, record, jobs)
    done = {stage.name: is_done(stage, complete, record, keep) for stage in stages}
    needed = _needed(stages, done)
    submitted: set[str] = set()
    decisions = []
    for stage in stages:
        active, vain = _in_queue(stage, record, jobs)
        if active and not record.is_whole(stage.name):  # what is behind the stage must not wait for a part of it alone
            active, vain = (), (*vain, *active)
        afresh = submitted & stage.needs.keys()
        if active and not afresh and record.keys.get(stage.name) != stage.key and not stage.grows:
            raise ClusterError(
                f"[{stage.name}] was changed, and its job {active[0]} is still in the queue: cancel the chain first, "
                "or undo the change"
            )
        if done[stage.name] and not (stage.refreshes and afresh):
            what: What = "complete"
        elif not needed[stage.name] and not afresh:
            what = "active" if active else "not needed"
        elif active and not afresh:
            what = "active"
        else:
            what = "submit"
            submitted.add(stage.name)
            vain, active = (*vain, *active), ()
        decisions.append(Decision(stage, what, active, vain))
    return decisions


def _require_no_strays(stages: Sequence[Stage], record: Record, jobs: Mapping[str, QueuedJob]) -> None:
    names = {stage.name for stage in stages}
    for one in record.submissions:
        if one.stage not in names and one.job is not None and one.job in jobs and jobs[one.job].is_active:
            raise ClusterError(
                f"[{one.stage}] is no longer in the file, and its job {one.job} is still in the queue: cancel the "
                "chain first, or put it back"
            )


def is_done(stage: Stage, complete: Mapping[str, bool], record: Record, keep: Collection[str] = ()) -> bool:
    """Whether nothing is left to do for a stage; `ClusterError` where it was changed since it was made."""
    made_with = record.keys.get(stage.name)
    if not complete[stage.name]:
        return False
    if stage.name in keep or stage.grows or made_with == stage.key:
        return True
    if made_with is None:  # of a job that this chain does not know: it finds out itself, and ends at once
        return False
    raise ClusterError(
        f"[{stage.name}] was changed since {stage.outputs[0]} was made; undo the change, or say --keep {stage.name} to "
        f"go on with what is there, or --redo {stage.name} to set it aside, with all that was made of it, and make it "
        "anew"
    )


def _needed(stages: Sequence[Stage], done: Mapping[str, bool]) -> dict[str, bool]:
    """Whether a stage has to be made: for a later one that is to be, or for itself, where nothing follows but what
    tells about it."""
    needed: dict[str, bool] = {}
    for stage in reversed(stages):
        followers = [other.name for other in stages if stage.name in other.needs and not other.refreshes]
        needed[stage.name] = not done[stage.name] and (not followers or any(needed[name] for name in followers))
    return needed


def _in_queue(stage: Stage, record: Record, jobs: Mapping[str, QueuedJob]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Numbers of the stage's jobs that run or wait, and of those that wait in vain."""
    known = [jobs[number] for number in record.numbers(stage.name) if number in jobs]
    active = tuple(job.number for job in known if job.is_active)
    return active, tuple(job.number for job in known if job.waits_in_vain)


def with_followers(names: Collection[str], stages: Sequence[Stage]) -> list[Stage]:
    """The named stages and all that are made of what they leave."""
    chosen: list[Stage] = []
    for stage in stages:
        if stage.name in names or any(other.name in stage.needs for other in chosen):
            chosen.append(stage)
    return chosen
