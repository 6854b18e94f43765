"""`chain.json`: the jobs submitted for each stage. What became of them Slurm says, what is complete the files."""

import getpass
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from cluster.chain.configuration import STAGES
from cluster.chain.slurm import QueuedJob
from cluster.chain.stages import Stage
from cluster.errors import ClusterError

FILE, LOCK = "chain.json", "chain.lock"
_FORMAT = 2


@dataclass(frozen=True)
class Submission:
    """A call of sbatch: `round` counts those for a stage, `part` the jobs of one round, of `parts` in all.

    `job` is None until known.
    """

    stage: str
    round: int
    part: int
    parts: int
    key: str
    job: str | None
    submitted: float
    code: str
    command: tuple[str, ...]


@dataclass
class Record:
    """All submissions of a chain, oldest first, and by stage the key of what was made, as last agreed to."""

    chain: str
    user: str
    cluster: str
    folder: str
    submissions: list[Submission] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, output: Path) -> Self | None:
        """The record of the chain in a folder, None where none was begun; `ClusterError` where it is damaged."""
        path = output / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != _FORMAT:
                raise ValueError("of another version of this program")
            return TypeAdapter(cls).validate_python(content)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            reason = f"{error.error_count()} entries are wrong" if isinstance(error, ValidationError) else error
            raise ClusterError(
                f"{path} cannot be read ({reason}); remove it: jobs in the queue are found by their names, and what is "
                "complete is found out again"
            ) from error

    @classmethod
    def begin(cls, output: Path, cluster: str) -> Self:
        return cls(chain_id(output), getpass.getuser(), cluster, str(Path.cwd()))

    def write(self, output: Path) -> None:
        """Replaces the file, completely or not at all."""
        from preprocessing.atomic_file import write_text

        write_text(output / FILE, json.dumps({"format": _FORMAT, **asdict(self)}, indent=1) + "\n")

    def last_round(self, stage: str) -> list[Submission]:
        """The submissions of a stage that count."""
        last = max((one.round for one in self.submissions if one.stage == stage), default=0)
        return [one for one in self.submissions if (one.stage, one.round) == (stage, last)]

    def numbers(self, stage: str) -> list[str]:
        """The jobs of these submissions."""
        return [one.job for one in self.last_round(stage) if one.job is not None]

    def is_whole(self, stage: str) -> bool:
        """Whether all parts of its last round were submitted: who submits may be killed between two of them."""
        last = self.last_round(stage)
        return {one.part for one in last} == set(range(max((one.parts for one in last), default=0)))

    def own(self, jobs: Mapping[str, QueuedJob]) -> dict[str, QueuedJob]:
        """Those of the jobs that are this chain's, by their names; numbers come again, when Slurm begins anew."""
        return {number: job for number, job in jobs.items() if self._place_of(job.name) is not None}

    def add(self, stage: Stage, part: int, parts: int, number: int, code: str, command: Sequence[str]) -> None:
        """Notes that a job is about to be submitted: a crash before its number is known must not lose it."""
        self.keys[stage.name] = stage.key
        self.submissions.append(
            Submission(stage.name, number, part, parts, stage.key, None, time.time(), code, tuple(command))
        )

    def number_last(self, job: str) -> None:
        """The number of the job that was noted last."""
        self.submissions[-1] = replace(self.submissions[-1], job=job)

    def drop_last(self) -> None:
        """sbatch refused it: the others of its round are taken back, and never make up a whole one."""
        lost = self.submissions.pop()
        self.submissions = [
            replace(one, parts=lost.parts + 1) if (one.stage, one.round) == (lost.stage, lost.round) else one
            for one in self.submissions
        ]

    def adopt(self, jobs: Mapping[str, QueuedJob], keys: Mapping[str, str]) -> None:
        """Takes up jobs of this chain whose numbers were never written down, as after a crash; drops what never was.

        `keys` by name of stage: that of a job of which nothing at all is written down, as where the record is lost.
        """
        known = {one.job for one in self.submissions}
        for job in jobs.values():
            place = self._place_of(job.name)
            if place is None or job.number in known or not job.is_active:
                continue
            noted = [n for n, one in enumerate(self.submissions) if (one.stage, one.part, one.job) == (*place, None)]
            if noted:
                self.submissions[noted[-1]] = replace(self.submissions[noted[-1]], job=job.number)
                continue
            stage, part = place
            number = max((one.round for one in self.submissions if one.stage == stage), default=1)
            key = self.keys.get(stage, keys.get(stage, ""))
            if key:
                self.keys[stage] = key
            self.submissions.append(Submission(stage, number, part, part + 1, key, job.number, time.time(), "", ()))
        self.submissions = [one for one in self.submissions if one.job is not None]

    def _place_of(self, name: str) -> tuple[str, int] | None:
        found = re.fullmatch(rf"({'|'.join(STAGES)})(?:\.(\d+))?-{self.chain}", name)
        return (found[1], int(found[2] or 0)) if found else None

    def name_of(self, stage: str, part: int) -> str:
        """A job's name: it finds the job again where its number was lost."""
        return f"{stage}-{self.chain}" if part == 0 else f"{stage}.{part}-{self.chain}"

    def strangers(self, cluster: str) -> str | None:
        """Who submitted the chain, and where, if that is not seen from here."""
        here = getpass.getuser(), cluster
        return None if here == (self.user, self.cluster) else f"by {self.user} on the cluster {self.cluster}"

    def require_ours(self, output: Path, cluster: str) -> None:
        """`ClusterError` where jobs of the chain could not be seen from here, or paths mean other places."""
        for what, here, there in (
            ("user", getpass.getuser(), self.user),
            ("cluster", cluster, self.cluster),
            ("folder", str(Path.cwd()), self.folder),
        ):
            if here != there:
                raise ClusterError(
                    f"{output / FILE}: this chain was submitted from the {what} {there}, and this is {here}; go there, "
                    "or give another [run] output"
                )


def chain_id(output: Path) -> str:
    """Eight hex digits that follow from where the chain's folder lies: they stay, even where its record is lost."""
    return hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:8]
