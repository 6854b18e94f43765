"""Whether the node that a Slurm job's script ran on is lost, and what becomes of the job then.

A job with `--no-kill` goes on when one of its nodes fails. That holds for the node of its script too: seen with Slurm
22.05, the job then runs until its time is over, with nobody in it who would end it.
"""

import os
import re
import subprocess
import sys


def requeue_if_lost() -> bool:
    """Puts the job of this process back into the queue, if the node of its script is lost; whether that was done.

    Of the nodes that are left only the first one does so, or the others might requeue what has started again. Nothing
    outside of a job, and where Slurm does not answer.
    """
    job, here = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURMD_NODENAME")
    if not job or not here:
        return False
    shown = _ask("scontrol", "-o", "show", "job", job)
    found = dict(re.findall(r"(\w+)=(\S+)", shown))
    left = _ask("scontrol", "show", "hostnames", found.get("NodeList", "")).split()
    if found.get("JobState") != "RUNNING" or found.get("BatchHost") in left or not left or left[0] != here:
        return False
    print(f"the node of the job's script, {found.get('BatchHost')}, is lost: back into the queue", file=sys.stderr)
    _ask("scontrol", "requeue", job)
    return True


def _ask(*command: str) -> str:
    """What Slurm's command says; nothing where it fails, or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
