"""How many jobs the cluster takes, by its scheduler's own word."""

from __future__ import annotations

import getpass
import re
import subprocess

from finetuning.errors import FinetuningError

SCRIPT = "cluster/slurm/finetune.sbatch"
MOST_TASKS = 1000
"""Tasks of an array where no cluster is asked; Slurm's own default is one more."""
ASK_SECONDS = 10


def array_limit() -> int:
    """Most tasks of an array on this cluster, by its scheduler's word; MOST_TASKS where none answers.

    Raises FinetuningError where the cluster takes no arrays.
    """
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _answer("scontrol", "show", "config"), flags=re.MULTILINE)
    if found is None:
        return MOST_TASKS
    if not int(found[1]):
        raise FinetuningError(
            "this cluster takes no job arrays (MaxArraySize is 0): run the sweep as one job, "
            f"sbatch {SCRIPT} --config …, or one job for each --array-index"
        )
    return int(found[1])


def submit_room() -> int | None:
    """How many jobs of this user the queue still takes, each task of an array being one; None: no limit is known.

    The limit is `MaxSubmitJobs` of the user's association, of several the highest: what a partition or a quality of
    service limits beside it is learnt when sbatch refuses.
    """
    user = getpass.getuser()
    limits = re.findall(
        r"^\d+$",
        _answer("sacctmgr", "--noheader", "--parsable2", "show", "assoc", f"user={user}", "format=MaxSubmitJobs"),
        flags=re.MULTILINE,
    )
    if not limits:
        return None
    queued = _answer("squeue", "--me", "--noheader", "--array", "--format=%i").split()
    return max(0, max(map(int, limits)) - len(queued))


def _answer(*command: str) -> str:
    """What a command of Slurm says; nothing where there is none, or it does not answer."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
