"""When the job ends, as Slurm says: the run stops in time for its checkpoint."""

import os
import re
import subprocess
import time
from collections.abc import Mapping
from datetime import datetime

_SPARE = 30.0  # seconds for what is not foreseen


def job_end(environment: Mapping[str, str] = os.environ) -> float | None:
    """The end of this Slurm job in seconds since 1970; None outside Slurm, and where the job has no limit."""
    stated = environment.get("SLURM_JOB_END_TIME", "")
    if stated.isdigit():
        return float(stated)
    job = environment.get("SLURM_JOB_ID", "")
    if not job.isdigit():
        return None
    try:
        shown = subprocess.run(
            ["scontrol", "-o", "show", "job", job], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bEndTime=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", shown)
    return datetime.fromisoformat(match[1]).timestamp() if match else None


class TimeLimit:
    """Knows how long a save and a step take, and says when it is time to stop."""

    def __init__(self, end: float | None, save_seconds: float) -> None:
        self.end = end
        self.longest_save = save_seconds  # an estimate until the first
        self.longest_step = 0.0
        self._measured = False

    def saved(self, seconds: float) -> None:
        """Notes what a save took."""
        self.longest_save = max(seconds, self.longest_save if self._measured else 0.0)
        self._measured = True

    def is_near(self, step_seconds: float, now: float | None = None) -> bool:
        """True when one more step and a save might not fit any more. `step_seconds`: what the last step took."""
        if self.end is None:
            return False
        self.longest_step = max(self.longest_step, step_seconds)
        left = self.end - (time.time() if now is None else now)
        return left < 2 * (self.longest_save + self.longest_step) + _SPARE
