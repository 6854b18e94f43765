"""The workers of one node of a Dask cluster.

    python -m cluster.engines.dask_workers --meeting FOLDER --workers N

Worker processes of one thread each, for the scheduler of `cluster/engines/dask_driver.py` that FOLDER leads to, until
that has ended. They are started again when they end by themselves. In a job of Slurm, where the first node is lost, so
that nobody is left to end or to continue the job, the first of the other nodes puts it back into the queue.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cluster.engines import batch_host
from cluster.engines.dask_meeting import LOOK_SECONDS, Meeting
from cluster.errors import ClusterError

SECONDS_TO_WAIT = 600.0
"""For the scheduler: the first node may be the slow one."""
PAUSES = (2.0, 10.0, 30.0, 60.0)
"""Seconds before workers that ended are started again; the last one from then on."""


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser

    text = "Starts a node's Dask workers, and keeps them until the scheduler has ended."
    parser = OptionParser("python -m cluster.engines.dask_workers", text, ClusterError)
    text = "the folder of this start, as it was given to cluster.engines.dask_driver"
    parser.add_argument("--meeting", type=Path, required=True, help=text)
    parser.add_argument("--workers", type=int, required=True, help="worker processes, of one thread each")
    text = "network interface, such as ib0 (default: that of the way to the scheduler)"
    parser.add_argument("--interface", help=text)
    # Slurm says it to every process of a job; left to themselves, workers would fill the log with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        arguments = parser.parse_args(argv)
        if arguments.workers < 1:
            raise ClusterError(f"--workers {arguments.workers}: must be at least 1")
        keep_workers(Meeting(arguments.meeting), arguments.workers, arguments.interface)
    except ClusterError as error:
        print(f"dask_workers: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def keep_workers(meeting: Meeting, workers: int, interface: str | None = None) -> None:
    """Returns when the scheduler has ended. ClusterError when there never was one."""
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while (address := meeting.address()) is None:
        if time.monotonic() > deadline:
            raise ClusterError(f"no scheduler in {meeting.folder} after {SECONDS_TO_WAIT:.0f} s; see the first node")
        time.sleep(LOOK_SECONDS)
    options = ["--nworkers", str(workers), "--nthreads", "1", "--no-dashboard", "--memory-limit", "0"]
    options += ["--death-timeout", "60", *(["--interface", interface] if interface else [])]
    # By the address: the file is gone when the scheduler is about to end.
    command = [sys.executable, "-m", "dask", "worker", address, *options]
    ended = 0
    while not _run_until_the_end(command, meeting):
        batch_host.requeue_if_lost()
        print(f"dask_workers: the workers of {os.uname().nodename} ended; starting them again", file=sys.stderr)
        time.sleep(PAUSES[min(ended, len(PAUSES) - 1)])
        ended += 1


def _run_until_the_end(command: Sequence[str], meeting: Meeting) -> bool:
    """Whether all is over; False where only the command has ended."""
    # A group of its own, so that all of it can be ended at once: asked to end, workers that lose their scheduler
    # meanwhile would fill the log with it, and they hold nothing that is still wanted.
    process = subprocess.Popen(command, env=meeting.environment, start_new_session=True)
    try:
        while process.poll() is None:
            if meeting.address() is None:
                return True
            time.sleep(LOOK_SECONDS)
        return meeting.address() is None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
