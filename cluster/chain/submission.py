"""Submitting a chain: what is missing, once, however often and by how many at the same time it is asked for."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from cluster.chain import slurm
from cluster.chain.jobs import LOGS, dependencies, job_words, with_parts
from cluster.chain.plan import Decision, decide, with_followers
from cluster.chain.record import LOCK, Record
from cluster.chain.road import Chain
from cluster.chain.slurm import QueuedJob
from cluster.chain.stages import Part, Stage
from cluster.errors import ClusterError

REPLACED, CODES = "replaced", "code"


@dataclass(frozen=True)
class Wishes:
    """Stages that are to be made anew, and such as are taken as they are although they were changed."""

    redo: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    def require_known(self, stages: Sequence[Stage], complete: Mapping[str, bool]) -> None:
        """`ClusterError` where a stage is none of the chain's, or one to be kept is not there."""
        names = [stage.name for stage in stages]
        for option, wished in (("--redo", self.redo), ("--keep", self.keep)):
            for name in wished:
                if name not in names:
                    raise ClusterError(f"{option} {name}: this chain has no such stage; it has {', '.join(names)}")
        for name in self.redo:
            if name in self.keep:
                raise ClusterError(f"--redo {name} and --keep {name}: give one of them")
        for name in self.keep:
            if not complete[name]:
                raise ClusterError(f"--keep {name}: this stage is not complete, so there is nothing to keep")


def submit_chain(chain: Chain, wishes: Wishes, say: Callable[[str], None]) -> int:
    """Submits the jobs of what is missing; how many. `ClusterError` where something must be mended first."""
    wishes.require_known(chain.stages, chain.complete())
    with held(chain.output):
        record, jobs = look(chain.output, chain.stages)
        if wishes.redo:
            # Nothing is moved for a submission that would then be refused.
            require_accepted(planned(decide(chain.stages, anew(chain, wishes.redo, record, jobs), record, jobs)))
            _set_aside(chain, wishes.redo, record, say)
        decisions = decide(chain.stages, chain.complete(), record, jobs, wishes.keep)
        for decision in decisions:
            if decision.what == "complete":
                record.keys[decision.stage.name] = decision.stage.key
            elif decision.what == "active" and record.keys.get(decision.stage.name) != decision.stage.key:
                say(f"{decision.stage.name} was changed while its jobs run: submit again when they have ended")
        links = planned(decisions, writes=True)
        require_accepted(links)
        record.write(chain.output)
        return _submit(chain, record, links, say) if any(parts for _, parts in links) else 0


def held(output: Path) -> AbstractContextManager[object]:
    """The chain's folder, for one submission at a time."""
    from preprocessing.folder_lock import FolderLock

    # sbatch has it too: it may outlive this process, and submit what nobody sees yet.
    return FolderLock(output, LOCK, "give another [run] output", error=ClusterError, for_children=True)


def look(output: Path, stages: Sequence[Stage]) -> tuple[Record, Mapping[str, QueuedJob]]:
    """What was submitted, and what Slurm says of it now; jobs whose numbers were lost are found again."""
    cluster = slurm.cluster_name()
    record = Record.read(output) or Record.begin(output, cluster)
    record.require_ours(output, cluster)
    jobs = record.own(slurm.queue())
    record.adopt(jobs, {stage.name: stage.key for stage in stages})
    return record, jobs


def anew(chain: Chain, names: Collection[str], record: Record, jobs: Mapping[str, QueuedJob]) -> dict[str, bool]:
    """What is complete when what some stages left, and those after them, is set aside. `ClusterError` where a job of
    one of them waits or runs."""
    chosen = with_followers(names, chain.stages)
    require_idle(chosen, record, jobs)
    return {**chain.complete(), **{stage.name: False for stage in chosen}}


def planned(decisions: Sequence[Decision], *, writes: bool = False) -> list[tuple[Decision, tuple[Part, ...]]]:
    """The jobs of each stage that is to be submitted. `ClusterError` where what one of them reads is not there.

    With `writes` what the jobs read is written, as a sweep's plan.
    """
    for decision in decisions:
        if decision.what == "submit":
            decision.stage.check()
    return [(decision, decision.stage.parts(writes) if decision.what == "submit" else ()) for decision in decisions]


def require_accepted(links: Sequence[tuple[Decision, Sequence[Part]]]) -> None:
    """`ClusterError` with Slurm's words where it would refuse one of the jobs: asked before the first is submitted."""
    from cluster.snapshot import ROOT

    for decision, parts in links:
        stage = decision.stage
        asked = {(part.script, *part.options): part for part in parts}
        for part in asked.values():
            script = ROOT / "cluster" / "slurm" / part.script
            words = [*stage.options, *part.options, str(script), *part.arguments]
            if said := slurm.objection(words, stage.variables):
                raise ClusterError(f"[slurm] for {stage.name}: {said}; nothing was submitted")


def _submit(
    chain: Chain, record: Record, links: Sequence[tuple[Decision, Sequence[Part]]], say: Callable[[str], None]
) -> int:
    from cluster.snapshot import take_snapshot

    code = take_snapshot(chain.output / CODES)
    (chain.output / LOGS).mkdir(exist_ok=True)
    waiting: dict[str, list[str]] = {}
    count = 0
    for decision, parts in links:
        stage = decision.stage
        slurm.cancel(decision.cancel)
        if decision.what != "submit":
            waiting[stage.name] = list(decision.jobs)
            continue
        if stage.marker is not None:
            stage.marker.unlink(missing_ok=True)  # of an earlier result
        after = dependencies(stage, waiting)
        round_ = max((one.round for one in record.last_round(stage.name)), default=0) + 1
        numbers: list[str] = []
        for place, part in enumerate(parts):
            waits = with_parts(after, part, numbers)
            words = job_words(stage, part, record.name_of(stage.name, place), chain.output, waits, str(code))
            record.add(stage, place, len(parts), round_, str(code), words)
            record.write(chain.output)
            try:
                number = slurm.submit(words, {**chain.variables, **stage.variables, "CODE_FOLDER": str(code)})
            except ClusterError as error:
                record.drop_last()
                record.write(chain.output)
                with suppress(ClusterError):
                    slurm.cancel(numbers)  # of a stage all jobs or none: the next call submits it as a whole
                raise ClusterError(
                    f"{stage.name} was not submitted: {error}; mend that and run the same command again: it goes on "
                    "here"
                ) from error
            record.number_last(number)
            record.write(chain.output)
            numbers.append(number)
            count += 1
            say(f"{stage.name}: job {number}{f', {waits}' if waits else ''}")
        waiting[stage.name] = numbers
    return count


def _set_aside(chain: Chain, names: Collection[str], record: Record, say: Callable[[str], None]) -> None:
    """Moves what stages and those after them left to a folder of its own; nothing is deleted."""
    folder = chain.output / REPLACED / time.strftime("%Y-%m-%dT%H-%M-%S")
    for stage in with_followers(names, chain.stages):
        for output in stage.outputs:
            if output.exists():
                target = folder / output.relative_to(chain.output)
                target.parent.mkdir(parents=True, exist_ok=True)
                output.rename(target)
                say(f"{output} is now {target}")
        record.keys.pop(stage.name, None)


def require_idle(stages: Sequence[Stage], record: Record, jobs: Mapping[str, QueuedJob]) -> None:
    """`ClusterError` where a job of one of the stages waits or runs."""
    for stage in stages:
        active = [number for number in record.numbers(stage.name) if number in jobs and jobs[number].is_active]
        if active:
            raise ClusterError(f"--redo: {stage.name} is in the queue (job {active[0]}); cancel the chain first")


def cancel_chain(output: Path, say: Callable[[str], None]) -> int:
    """Ends all jobs of the chain in a folder that wait or run, the last stage's first; how many."""
    with held(output):
        record, jobs = look(output, ())
        record.write(output)
        known = [jobs[one.job] for one in reversed(record.submissions) if one.job is not None and one.job in jobs]
        active = [job for job in known if job.is_active or job.waits_in_vain]
        slurm.cancel([job.number for job in active])
        for job in active:
            say(f"{job.name}: job {job.number} cancelled")
        return len(active)
