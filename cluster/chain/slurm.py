"""Slurm's commands, each as a list of words: submitting, asking, cancelling. Nothing else here starts one."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.chain.configuration import OWN_VARIABLES
from cluster.errors import ClusterError

_SECONDS = 120.0  # that a command may take: the controller of a busy cluster answers late
_FORMAT = "%F|%T|%r|%S|%e|%j"
_OVER = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"),
    *("REVOKED", "TIMEOUT"),
}
_NEVER = "DependencyNeverSatisfied"
# What sbatch --test-only also says of nodes that are only down at the moment, where a submission waits for them.
_OTHERS = re.compile(
    r"SLURM_(?!CONF$)|SQUEUE_|SCANCEL_|SBATCH_(ARRAY_INX|CLUSTERS|NO_REQUEUE|REQUEUE|TEST_ONLY|WAIT|WAIT_ALL_NODES)$"
)
"""What the user's shell may tell Slurm's commands and these calls must not hear. A part of the queue
(`SQUEUE_PARTITION`) is not the queue, another way to write the time (`SLURM_TIME_FORMAT`) cannot be read, `SBATCH_WAIT`
would wait for each job. Where this is itself called in a job, that job's variables are none of the new one's."""
_MAY_PASS = re.compile(r"node configuration is not available|nodes? (are|is) busy|not available", re.IGNORECASE)


@dataclass(frozen=True)
class QueuedJob:
    """What Slurm knows of a job; of an array all that is listed, its tasks, together.

    `states` has each state that occurs, `running` is the number of tasks that run. `reason`, `start` (expected, where
    it waits) and `end` (by its time limit) are those of the task that counts: one that runs before one that waits.
    Times are Slurm's, None where it gives none.
    """

    number: str
    name: str
    states: tuple[str, ...]
    reason: str = ""
    start: str | None = None
    end: str | None = None
    running: int = 0

    @property
    def is_active(self) -> bool:
        """Whether something of it runs or waits, and is not waiting in vain."""
        return any(state not in _OVER for state in self.states) and not self.waits_in_vain

    @property
    def waits_in_vain(self) -> bool:
        """Whether it waits for a job that ended in another way than it was to."""
        return self.reason == _NEVER and "PENDING" in self.states

    @property
    def runs(self) -> bool:
        return bool({"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"} & set(self.states))


def is_here() -> bool:
    """Whether this machine has Slurm's commands."""
    return all(shutil.which(command) is not None for command in ("sbatch", "squeue", "scancel"))


def submit(words: Sequence[str], variables: Mapping[str, str]) -> str:
    """Runs `sbatch WORDS` and returns the job's number; `ClusterError` with Slurm's own words."""
    answer = _run(["sbatch", "--parsable", *words], _environment(variables))
    number = answer.strip().splitlines()[-1].split(";")[0] if answer.strip() else ""
    if not number.isdecimal():
        raise ClusterError(f"sbatch gave no job number but {answer.strip()!r}")
    return number


def objection(words: Sequence[str], variables: Mapping[str, str]) -> str | None:
    """Why Slurm would not take this submission, if it would not; nothing is submitted."""
    try:
        _run(["sbatch", "--test-only", *words], _environment(variables))
    except ClusterError as error:
        return None if _MAY_PASS.search(str(error)) else str(error)
    return None


def queue() -> dict[str, QueuedJob]:
    """This user's jobs by number: those that wait or run, and those that ended lately."""
    answer = _run(["squeue", "--me", "--states=all", "--noheader", f"--format={_FORMAT}"])
    tasks: dict[str, list[QueuedJob]] = {}
    for line in answer.split("\n"):
        if not re.match(r"\d+\|", line.strip()):  # the rest of a name of some other job that has a line break
            continue
        fields = line.strip().split("|", 5)
        if len(fields) != 6:
            raise ClusterError(f"squeue answered {line!r}, which is not as it was asked; try again")
        number, state, reason, start, end, name = fields
        begin, over = (None if time in ("N/A", "NONE", "Unknown") else time for time in (start, end))
        tasks.setdefault(number, []).append(QueuedJob(number, name, (state,), reason, begin, over))
    return {number: _together(found) for number, found in tasks.items()}


def cancel(numbers: Sequence[str]) -> None:
    """Ends jobs; those that are over already do no harm."""
    if numbers:
        _run(["scancel", *numbers])


def cluster_name() -> str:
    """What this cluster calls itself; job numbers mean nothing on another one."""
    found = re.search(r"^ClusterName\s*=\s*(\S+)", _run(["scontrol", "show", "config"]), flags=re.MULTILINE)
    return found[1] if found else ""


def _together(tasks: Sequence[QueuedJob]) -> QueuedJob:
    order = sorted(tasks, key=lambda task: (not task.runs, not task.is_active))
    states = dict.fromkeys(task.states[0] for task in order)
    first = order[0]
    running = sum(task.states == ("RUNNING",) for task in tasks)
    return QueuedJob(first.number, first.name, tuple(states), first.reason, first.start, first.end, running)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not _OTHERS.match(name) and name not in OWN_VARIABLES}
    return {**kept, **variables}


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """The command's answer. It inherits the lock of the chain's folder: where this process is killed, no other submits
    as long as sbatch still runs."""
    program = shutil.which(command[0])  # not on a PATH that is the jobs' own
    if program is None:
        raise ClusterError(f"this machine has no {command[0]}; go to one from which jobs are submitted")
    try:
        answer = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            env=_environment({}) if environment is None else environment,
            timeout=_SECONDS,
            errors="replace",
            close_fds=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{command[0]} did not answer in {_SECONDS:.0f} seconds; try again") from error
    except (OSError, ValueError) as error:  # too many words for the system, a character that no word may have
        raise ClusterError(f"{command[0]} cannot be called: {getattr(error, 'strerror', None) or error}") from error
    if answer.returncode:
        said = "; ".join(line.strip() for line in answer.stderr.splitlines() if line.strip())
        raise ClusterError(f"{command[0]} failed with exit code {answer.returncode}: {said or 'it said nothing'}")
    return answer.stdout
